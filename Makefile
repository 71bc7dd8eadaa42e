# Everything a person needs, a line or two each. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help up test check format bench drills install lock clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 18

up: $(VENV)/.runtime ## raise every floor on this machine and stay in the foreground
	@exec $(BIN)/midrise up

test: $(VENV)/.dev ## run the tests on real servers
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not drill and not outside"

check: $(VENV)/.dev ## format, lint, types, contracts, spelling, locks, dependency audit
	@$(BIN)/python .ci/check.py

format: $(VENV)/.dev ## put the source into shape
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## what one request costs, beside what it would at best; BENCH=--help says more
	@$(BIN)/python benchmarks/speed.py $(BENCH)

drills: $(VENV)/.dev ## break things on purpose, at length
	@$(BIN)/python -m pytest -m drill

install: $(VENV)/.dev ## install Midrise and the development tools into .venv; the others do so by themselves

lock: ## pin the newest versions that the project allows (needs uv)
	@.ci/lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info < (3, 11) and sys.exit("Midrise needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing Midrise into $(VENV) (once)"
	@$(INSTALL) -r requirements/runtime.lock && $(INSTALL) --no-deps --no-build-isolation -e . && touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@echo "Installing the development tools into $(VENV) (once)"
	@$(INSTALL) -r requirements/dev.lock && touch $@

clean: ## remove what was installed and built, not the data in .midrise
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
