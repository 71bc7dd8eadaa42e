"""Who may call what is said for every operation, in `tests/access/table.py`, or the check fails."""

import os
from pathlib import Path

import pytest
from tests.access.table import TABLE

from midrise.app import create_application
from midrise.foundation.http.openapi import OpenApi, document_of
from midrise.foundation.security.secrets import MasterSecret
from midrise.settings import load

NOWHERE = {
    "MIDRISE_DATABASE_URL": "postgresql://nobody@localhost/nothing",
    "MIDRISE_REDIS_URL": "redis://localhost",
}


@pytest.fixture(scope="module")
def operations() -> set[str]:
    described = []
    settings = load(NOWHERE | {"MIDRISE_MASTER_SECRET": MasterSecret.generate().text}, toml=Path(os.devnull))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OpenApi, "describe", lambda _, app: described.append(app))
        create_application(settings, process="tests")
    paths = document_of(described[0])["paths"]
    return {f"{method.upper()} {path}" for path, item in paths.items() for method in item}


def test_every_operation_of_the_document_is_in_the_table(operations: set[str]) -> None:
    lacking = operations - {case.operation for case in TABLE}
    assert not lacking, (
        f"{', '.join(sorted(lacking))}: nobody has said who may call it. Enter it in tests/access/table.py, "
        "with who is allowed and how it is called; tests/access/test_access.py then tries it as everybody."
    )


def test_the_table_names_nothing_that_is_gone(operations: set[str]) -> None:
    gone = {case.operation for case in TABLE} - operations
    assert not gone, f"{', '.join(sorted(gone))}: take it out of tests/access/table.py"


def test_no_case_stands_there_twice() -> None:
    names = [case.name for case in TABLE]
    assert len(set(names)) == len(names)
