"""What the documentation says of settings, commands, files and steps is so."""

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from midrise.cli import COMMANDS
from midrise.settings import PREFIX, Section, Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FOLDERS = (ROOT, ROOT / "src" / "midrise", ROOT / "docs")

LINK = re.compile(r"\[[^\]]*\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
FILE = re.compile(r"`([\w./-]+\.(?:py|conf|lua|toml|md)|[\w.-]+/[\w./-]*/)`")
MADE_BY_RUNNING = ("midrise.toml", "gateway/nginx.conf", "locales/bn.toml", "postgres/primary")


def default_of(value: object) -> str:
    """A default as the README shows it; nothing where there is none."""
    if value is None or value == () or isinstance(value, SecretStr):
        return ""
    return f"`{value}`"


def settings_with_defaults() -> dict[str, str]:
    found = {}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            found |= {f"{name}_{leaf}": inner.default for leaf, inner in section.model_fields.items()}
        else:
            found[name] = field.default
    assert PydanticUndefined not in found.values()
    return {f"{PREFIX}{name}".upper(): default_of(value) for name, value in found.items()}


def anchors_of(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_lists_every_setting_with_its_default() -> None:
    rows = re.findall(r"^\| `(MIDRISE_\w+)` \| (.*?) ?\|", README, flags=re.MULTILINE)
    assert dict(rows) == settings_with_defaults()


def test_the_readme_lists_every_command() -> None:
    assert set(re.findall(r"`midrise (\w+)", README.partition("## Commands")[2])) >= set(COMMANDS)


def test_every_command_that_is_named_is_there() -> None:
    named = {word for page in PAGES for word in re.findall(r"`(?:\S*/)?midrise ([a-z]+)", page.read_text())}
    assert named - set(COMMANDS) == set()


def test_every_target_that_is_named_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        word for page in PAGES for word in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE)
    }
    assert named
    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    links = [
        (page.parent / place if place else page, anchor) for place, anchor in LINK.findall(page.read_text())
    ]
    assert [target for target, _ in links if not target.exists()] == []
    assert [(target, anchor) for target, anchor in links if anchor and anchor not in anchors_of(target)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = {name for name in FILE.findall(page.read_text()) if "/" in name and not name.startswith((".", "/"))}
    missing = {name for name in named if not any((folder / name).exists() for folder in FOLDERS)}
    assert missing - set(MADE_BY_RUNNING) == set()


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    records = {path.name for path in folder.glob("[0-9]*.md")}
    assert set(re.findall(r"\(([0-9]{4}-[\w-]+\.md)\)", (folder / "README.md").read_text())) == records


def test_the_changelog_knows_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_both_ways_of_ci_have_the_same_steps() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (steps,) = re.findall(r"^STEPS=\((.*)\)$", script, flags=re.MULTILINE)
    assert re.findall(r"run: \.ci/run (\w+)", workflow) == steps.split()
    assert set(re.findall(r"^step_(\w+)\(\)", script, flags=re.MULTILINE)) == set(steps.split())
