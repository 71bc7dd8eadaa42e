"""Folders show what the program is about, their files the layer, and no name says nothing."""

import re
from pathlib import Path

from tests.architecture.source import SOURCE, TESTS, source_files

FILES_OF_A_NOUN = {"controller.py", "model.py", "repository.py", "schemas.py", "service.py"}
NO_NOUNS = {
    "identity/email_tokens": "tokens are asked for and spent by what they are for",
    "identity/mails": "the worker sends them; what they hold is stored by others",
    "catalog/seeding": "a command fills the catalogue: nothing of it is called over HTTP",
    "identity/credentials": "checked inside other calls; what is stored belongs to users and second factors",
    "identity/log_in_attempts": "counted inside other calls: nothing of it is called over HTTP",
}
EMPTY_WORDS = {"base", "common", "data", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}

MODULES = SOURCE / "modules"


def test_every_noun_has_the_five_files() -> None:
    lacking = {
        noun: FILES_OF_A_NOUN - names
        for noun, names in _folders_with_layers().items()
        if noun not in NO_NOUNS and not names >= FILES_OF_A_NOUN
    }
    assert lacking == {}


def test_the_exceptions_are_still_needed() -> None:
    folders = _folders_with_layers()
    assert [noun for noun in NO_NOUNS if folders.get(noun, FILES_OF_A_NOUN) >= FILES_OF_A_NOUN] == []


def test_every_module_with_tables_keeps_them_in_one_file() -> None:
    stray = [path for path in MODULES.glob("*/*/tables.py") if path.parent.name != "migrations"]
    assert stray == []


def test_no_file_or_folder_has_an_empty_name() -> None:
    places = [path.relative_to(folder) for folder in (SOURCE, TESTS) for path in folder.rglob("*")]
    assert [place for place in places if _is_empty(re.split(r"[_.]", place.name))] == []


def test_no_class_has_an_empty_name() -> None:
    classes = [name for file in source_files(SOURCE) for name in file.classes()]
    assert [name for name in classes if _is_empty(re.findall(r"[A-Z][a-z]*", name))] == []


def _folders_with_layers() -> dict[str, set[str]]:
    """The folders that hold at least one of the five files, and which."""
    found: dict[str, set[str]] = {}
    for path in MODULES.glob("*/*/*.py"):
        if path.name in FILES_OF_A_NOUN:
            found.setdefault(_noun(path.parent), set()).add(path.name)
    return found


def _noun(folder: Path) -> str:
    return str(folder.relative_to(MODULES))


def _is_empty(words: list[str]) -> bool:
    return any(word.lower() in EMPTY_WORDS for word in words)
