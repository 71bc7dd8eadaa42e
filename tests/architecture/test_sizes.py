"""Files and functions are short: no one is long, and the usual one is shorter than a screen."""

from statistics import median

import pytest
from tests.architecture.source import SOURCE, TESTS, SourceFile, source_files

LONGEST_FILE = 300
LONGEST_FUNCTION = 60
USUAL_FILE = 80
USUAL_FUNCTION = 10
TOLERANCE = 1.5
"""Medians are near the usual size, not at it."""


@pytest.fixture(params=[SOURCE, TESTS], ids=["src", "tests"])
def files(request: pytest.FixtureRequest) -> list[SourceFile]:
    return source_files(request.param)


def test_no_file_is_long(files: list[SourceFile]) -> None:
    assert {file.place: file.lines for file in files if file.lines > LONGEST_FILE} == {}


def test_no_function_is_long(files: list[SourceFile]) -> None:
    functions = (function for file in files for function in file.functions())
    assert {place: lines for place, lines in functions if lines > LONGEST_FUNCTION} == {}


def test_the_usual_file_and_function_are_short(capsys: pytest.CaptureFixture[str]) -> None:
    files = source_files(SOURCE)
    usual_file = median(file.lines for file in files if file.text)
    usual_function = median(lines for file in files for _, lines in file.functions())
    with capsys.disabled():
        print(f"\nmedians: {usual_file:.0f} lines a file, {usual_function:.0f} a function")  # noqa: T201  told
    assert usual_file <= USUAL_FILE * TOLERANCE
    assert usual_function <= USUAL_FUNCTION * TOLERANCE
