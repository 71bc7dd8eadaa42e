"""What a killed supervisor left behind."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from midrise.topology.leftovers import ProcessRecord, Recorded, end_leftovers


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def test_recorded_processes_are_ended_last_started_first(tmp_path: Path, sleeper) -> None:
    path = tmp_path / "processes.json"
    record = ProcessRecord(path)
    record.add("sleeper", pid=sleeper.pid, stop_signal=signal.SIGTERM)
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as later:
        record.add("later", pid=later.pid, stop_signal=signal.SIGINT)
        assert asyncio.run(end_leftovers(path)) == ["later", "sleeper"]
        assert later.wait() == -signal.SIGINT
    assert sleeper.wait() == -signal.SIGTERM


def test_another_process_that_got_the_number_is_left_alone(tmp_path: Path, sleeper) -> None:
    path = tmp_path / "processes.json"
    path.write_bytes(msgspec.json.encode([Recorded("old", sleeper.pid, "another boot 1", signal.SIGTERM)]))
    assert asyncio.run(end_leftovers(path)) == []
    assert sleeper.poll() is None


def test_a_group_that_outlived_its_leader_is_ended(tmp_path: Path) -> None:
    path = tmp_path / "processes.json"
    with subprocess.Popen(
        ["/bin/sh", "-c", "sleep 60 & echo $!; exec sleep 60"], stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        orphan = int(leader.stdout.readline())
        ProcessRecord(path).add("leader", pid=leader.pid, stop_signal=signal.SIGTERM)
        leader.kill()
    assert Path(f"/proc/{orphan}").exists()
    assert asyncio.run(end_leftovers(path)) == ["leader"]


@pytest.mark.parametrize("text", ["", "nonsense", '{"pid": 1}'])
def test_a_damaged_record_is_no_obstacle(tmp_path: Path, text: str) -> None:
    path = tmp_path / "processes.json"
    path.write_text(text)
    assert asyncio.run(end_leftovers(path)) == []


def test_who_was_stopped_is_forgotten(tmp_path: Path, sleeper) -> None:
    path = tmp_path / "processes.json"
    record = ProcessRecord(path)
    record.add("sleeper", pid=sleeper.pid, stop_signal=signal.SIGTERM)
    record.remove("sleeper")
    assert asyncio.run(end_leftovers(path)) == []
    assert sleeper.poll() is None
