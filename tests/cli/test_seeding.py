"""Which database `midrise seed` fills."""

import os
from pathlib import Path

import pytest

from midrise.cli.seeding import running_database_url
from midrise.settings import load
from midrise.topology.errors import Refused
from midrise.topology.state import StateFolder


def settings(home, **variables):
    return load({"MIDRISE_HOME": str(home), **variables}, toml=Path(os.devnull))


def test_the_database_of_the_settings_comes_first(tmp_path):
    url = "postgresql://midrise@db.example/midrise"

    assert running_database_url(settings(tmp_path, MIDRISE_DATABASE_URL=url)) == url


def test_the_embedded_database_of_a_running_topology_is_found(tmp_path):
    state = StateFolder(tmp_path)

    with state.locked():
        state.prepare()
        assert f"host={state.sockets}&" in running_database_url(settings(tmp_path))


def test_where_nothing_runs_there_is_no_database(tmp_path):
    with pytest.raises(Refused, match="midrise up"):
        running_database_url(settings(tmp_path))
