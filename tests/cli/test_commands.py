"""The command line itself."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from tests.topology.house import House, command

from midrise.cli import COMMANDS


@pytest.fixture
def house(tmp_path) -> House:
    return House(tmp_path)


def test_help_names_every_command(house: House) -> None:
    text = house.midrise("--help").stdout
    assert all(f" {name} " in text for name in COMMANDS)


def test_help_reads_no_command(tmp_path) -> None:
    """So it is quick, whatever a command imports."""
    script = (
        "import sys; from midrise.cli import app; app(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = set(ended.stdout.split())
    assert not {"midrise.app", "midrise.settings", "litestar", "sqlalchemy", "asyncio"} & modules


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(house: House, name: str) -> None:
    assert f"midrise {name}" in house.midrise(name, "--help").stdout


def test_version_is_the_package_s(house: House) -> None:
    assert house.midrise("version").stdout == f"midrise {version('midrise')}\n"


def test_a_misspelt_command_is_answered_with_the_nearest(house: House) -> None:
    ended = house.midrise("statsu", check=False)
    assert ended.returncode == 2
    assert "status" in ended.stderr


@pytest.mark.parametrize(
    "arguments", [("status",), ("status", "--json"), ("down",), ("restart",), ("scale", "api=3")]
)
def test_orders_where_nothing_runs_are_refused_in_one_sentence(house: House, arguments) -> None:
    ended = house.midrise(*arguments, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == f"Midrise doesn't run on {house.home}: start it with midrise up\n"


@pytest.mark.parametrize("what", ["4", "api", "api=", "api=-1", "web=2"])
def test_scale_takes_api_and_a_number(house: House, what: str) -> None:
    ended = house.midrise("scale", what, check=False)
    assert ended.returncode == 2
    assert "api=4" in ended.stderr


def test_it_works_without_standard_streams(house: House) -> None:
    text = " ".join(command("status"))
    ended = subprocess.run(["/bin/sh", "-c", f"{text} <&- >&- 2>&-"], env=house.environment, check=False)
    assert ended.returncode == 1
