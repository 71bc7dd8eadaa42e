"""The state folder."""

import json
import os
import socket
from pathlib import Path

import pytest

from midrise.topology.errors import Refused
from midrise.topology.state import FORMAT, StateFolder


@pytest.fixture
def state(folder: Path) -> StateFolder:
    return StateFolder(folder / "home")


def test_a_folder_is_made_for_its_owner_alone(state: StateFolder) -> None:
    with state.locked():
        state.prepare()
    assert state.home.stat().st_mode & 0o077 == 0
    assert state.sockets == state.home / "sockets"


def test_who_holds_it_holds_it_alone(state: StateFolder) -> None:
    with state.locked():
        assert state.is_locked()
        with pytest.raises(Refused, match="already runs on"), state.locked():
            pass
    assert not state.is_locked()


def test_a_folder_that_nobody_made_is_not_locked(state: StateFolder) -> None:
    assert not state.is_locked()


def test_the_folder_of_a_newer_version_is_refused(state: StateFolder) -> None:
    state.home.mkdir()
    (state.home / "midrise.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(Refused, match="was made by a newer Midrise"), state.locked():
        pass


def test_a_damaged_description_is_refused_with_the_way_out(state: StateFolder) -> None:
    state.home.mkdir()
    (state.home / "midrise.json").write_text("{")
    with pytest.raises(Refused, match="is damaged: remove it"), state.locked():
        pass


def test_a_file_in_the_place_of_the_folder_is_refused(state: StateFolder) -> None:
    state.home.write_text("")
    with pytest.raises(Refused, match="a file is in its way"), state.locked():
        pass


@pytest.mark.parametrize("name", ["x" * 100, "two words", "it's", "100%", "বাংলা"])
def test_sockets_of_a_long_or_strange_path_are_in_a_short_private_folder(folder: Path, name: str) -> None:
    state = StateFolder(folder / name)
    with state.locked():
        state.prepare()
        chosen = state.sockets
        state.prepare()
    assert state.sockets == chosen
    assert len(os.fsencode(chosen)) < 50
    assert chosen.stat().st_mode & 0o077 == 0
    state.remove_sockets()
    assert not chosen.exists()


def test_a_short_folder_that_others_can_enter_is_not_used_again(folder: Path) -> None:
    state = StateFolder(folder / ("x" * 100))
    with state.locked():
        state.prepare()
        first = state.sockets
        first.chmod(0o755)
        state.prepare()
    assert state.sockets != first
    first.rmdir()
    state.remove_sockets()


def test_sockets_are_removed_and_nothing_else(state: StateFolder) -> None:
    with state.locked():
        state.prepare()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(state.sockets / "left.sock"))
    (state.sockets / "note").write_text("")
    state.remove_sockets()
    assert [path.name for path in state.sockets.iterdir()] == ["note"]


def test_the_master_secret_is_made_once_and_for_its_owner_alone(state: StateFolder) -> None:
    with state.locked():
        state.make_master_secret()
        made = state.master_secret.read_text()
        state.make_master_secret()
    assert state.master_secret.read_text() == made
    assert len(made.strip()) >= 43
    assert state.master_secret.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_can_write_to_is_closed_to_them(state: StateFolder, mode: int) -> None:
    state.home.mkdir()
    state.home.chmod(mode)
    with state.locked():
        assert state.home.stat().st_mode & 0o777 == 0o700


def test_the_folder_of_another_user_is_refused(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    state.home.mkdir()
    monkeypatch.setattr("os.geteuid", lambda: state.home.stat().st_uid + 1)
    with pytest.raises(Refused, match="belongs to another user: set MIDRISE_HOME"), state.locked():
        pass
