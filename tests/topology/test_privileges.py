"""As whom servers run."""

import os
import pwd
from pathlib import Path

import pytest
from tests.topology.reach import as_another_user

from midrise.topology import privileges
from midrise.topology.background import running
from midrise.topology.errors import Refused
from midrise.topology.postgres import PostgresPrimary
from midrise.topology.privileges import Account, server_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def _without_namespaces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(privileges, "_works", lambda _: False)
    server_account.cache_clear()
    yield
    server_account.cache_clear()


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user without root's rights")
def test_whoever_is_not_root_runs_servers_as_themselves() -> None:
    assert server_account() == Account()


@as_another_user
@pytest.mark.usefixtures("_without_namespaces")
def test_where_namespaces_are_forbidden_servers_become_an_unprivileged_user(folder: Path) -> None:
    account = server_account()
    assert account.user_id not in {None, 0}
    folder.chmod(0o755)
    primary = PostgresPrimary(folder / "postgres", sockets=folder / "s", account=account)
    with running(primary, logs=folder / "logs") as pids:
        assert Path(f"/proc/{pids[primary.name]}").stat().st_uid == account.user_id
        assert primary.folder.stat().st_uid == account.user_id


@as_root
@pytest.mark.usefixtures("_without_namespaces")
def test_a_folder_that_this_user_cannot_reach_is_refused_with_its_name(folder: Path) -> None:
    account = server_account()
    with pytest.raises(Refused, match=f"user {pwd.getpwuid(account.user_id).pw_name}, who can't reach"):
        account.own(folder / "inside")
