"""What a killed supervisor left behind."""

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.topology.sleepers import sleeping

from midrise.topology.errors import Refused
from midrise.topology.leftovers import (
    ProcessRecord,
    Recorded,
    end_leftovers,
    name_leftovers,
    refuse_orphaned,
)
from midrise.topology.state import StateFolder


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with sleeping() as process:
        yield process


def test_recorded_processes_are_ended_last_started_first(state: StateFolder, sleeper) -> None:
    path = state.processes
    record = ProcessRecord(path)
    record.add("sleeper", pid=sleeper.pid, stop_signal=signal.SIGTERM)
    with sleeping() as later:
        # Not SIGINT: a shell that runs the tests in the background has it ignored.
        record.add("later", pid=later.pid, stop_signal=signal.SIGUSR1)
        assert asyncio.run(end_leftovers(state)) == ["later", "sleeper"]
        assert later.wait() == -signal.SIGUSR1
    assert sleeper.wait() == -signal.SIGTERM


def test_another_process_that_got_the_number_is_left_alone(state: StateFolder, sleeper) -> None:
    path = state.processes
    path.write_bytes(msgspec.json.encode([Recorded("old", sleeper.pid, "another boot 1", signal.SIGTERM)]))
    assert asyncio.run(end_leftovers(state)) == []
    assert sleeper.poll() is None


def test_a_group_that_outlived_its_leader_is_ended(state: StateFolder) -> None:
    path = state.processes
    with subprocess.Popen(
        ["/bin/sh", "-c", "sleep 60 & echo $!; exec sleep 60"], stdout=subprocess.PIPE, start_new_session=True
    ) as leader:
        orphan = int(leader.stdout.readline())
        ProcessRecord(path).add("leader", pid=leader.pid, stop_signal=signal.SIGTERM)
        leader.kill()
    assert Path(f"/proc/{orphan}").exists()
    assert asyncio.run(end_leftovers(state)) == ["leader"]


@pytest.mark.parametrize("text", ["", "nonsense", '{"pid": 1}'])
def test_a_damaged_record_is_no_obstacle(state: StateFolder, text: str) -> None:
    path = state.processes
    path.write_text(text)
    assert asyncio.run(end_leftovers(state)) == []


def test_who_was_stopped_is_forgotten(state: StateFolder, sleeper) -> None:
    path = state.processes
    record = ProcessRecord(path)
    record.add("sleeper", pid=sleeper.pid, stop_signal=signal.SIGTERM)
    record.remove("sleeper")
    assert asyncio.run(end_leftovers(state)) == []
    assert sleeper.poll() is None


@pytest.mark.parametrize("program", ["-m midrise serve --uds {home}/s", "valkey-server unixsocket:{home}/s"])
def test_a_stray_that_nobody_recorded_is_known_by_its_arguments(state: StateFolder, program: str) -> None:
    arguments = program.format(home=state.home).split()
    with subprocess.Popen(["sh", "-c", "sleep 60; true", *arguments], start_new_session=True) as stray:
        assert asyncio.run(end_leftovers(state)) == [f"process {stray.pid}"]
        assert stray.wait() == -signal.SIGTERM


@pytest.mark.parametrize(
    "arguments", [["vim", "{home}/midrise.json"], ["-m", "midrise", "serve", "--uds", "/other"]]
)
def test_other_programs_are_no_strays(state: StateFolder, arguments: list[str]) -> None:
    words = [word.format(home=state.home) for word in arguments]
    with subprocess.Popen(["sh", "-c", "sleep 60; true", *words], start_new_session=True) as other:
        assert asyncio.run(end_leftovers(state)) == []
        assert other.poll() is None
        other.kill()


def test_what_still_runs_is_named_with_the_ways_out_and_not_touched(state: StateFolder, sleeper) -> None:
    ProcessRecord(state.processes).add("gateway", pid=sleeper.pid, stop_signal=signal.SIGTERM)
    with pytest.raises(Refused, match=r"is gone, but gateway still runs: .* midrise up, .* midrise down"):
        refuse_orphaned(state)
    assert name_leftovers(state) == ["gateway"]
    assert sleeper.poll() is None


def test_what_a_living_supervisor_keeps_is_no_leftover(state: StateFolder, sleeper) -> None:
    ProcessRecord(state.processes).add("gateway", pid=sleeper.pid, stop_signal=signal.SIGTERM)
    with state.locked():
        refuse_orphaned(state)


def test_where_nothing_is_left_nothing_is_refused(state: StateFolder) -> None:
    refuse_orphaned(state)
