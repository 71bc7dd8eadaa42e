# Everything a person needs, one line each. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help up test check format lock bench drills clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

up: $(VENV)/.runtime ## raise every floor on this machine and stay in the foreground
	@$(BIN)/midrise up

test: $(VENV)/.dev ## run the test suite on real servers
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not drill"

check: $(VENV)/.dev ## format, lint, types, contracts, spelling, dependency audit
	@$(BIN)/python .ci/check.py

format: $(VENV)/.dev ## put the source into shape
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

drills: $(VENV)/.dev ## break things on purpose, at length
	@$(BIN)/python -m pytest -m drill

lock: ## pin the newest versions that the project allows
	@.ci/lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Midrise needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing Midrise into $(VENV) (once)"
	@$(INSTALL) -r requirements/runtime.lock && $(INSTALL) --no-deps --no-build-isolation -e . && touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	@echo "Installing the development tools into $(VENV) (once)"
	@$(INSTALL) -r requirements/dev.lock && touch $@

clean: ## remove what was installed and built, not the data in .midrise
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
