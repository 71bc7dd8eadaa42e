"""Facts about processes, as Linux tells them and as `ps` does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.topology.sleepers import sleeping

from midrise.topology import processes

NOBODY = 2**22 + 1
"""More than Linux or macOS ever count to."""


@pytest.fixture(params=["proc", "ps"])
def _source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to ask; the second one is that of systems without /proc."""
    if request.param == "ps":
        if not Path("/bin/ps").exists():
            pytest.skip("there is no ps")
        monkeypatch.setattr(processes, "PROC", Path("/nonexistent"))
        monkeypatch.setattr(processes, "_proc_stat", lambda _: None)
    elif not processes.PROC.exists():
        pytest.skip("there is no /proc")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with sleeping() as process:
        yield process


@pytest.mark.usefixtures("_source")
def test_a_process_keeps_its_mark_and_nobody_has_none() -> None:
    mark = processes.start_mark(os.getpid())
    assert mark
    assert processes.is_same(os.getpid(), mark)
    assert processes.start_mark(NOBODY) is None


def test_one_that_has_ended_but_was_not_waited_for_counts_as_gone(sleeper) -> None:
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert processes.start_mark(sleeper.pid) is None


def test_a_process_has_its_children(sleeper) -> None:
    assert sleeper.pid in processes.children_of(os.getpid())
    assert processes.children_of(sleeper.pid) == set()
    assert processes.children_of(NOBODY) == set()


@pytest.mark.usefixtures("_source")
def test_command_lines_name_every_process(sleeper) -> None:
    lines = dict(processes.command_lines())
    assert lines[sleeper.pid] == "/bin/sleep 60"
    assert os.getpid() in lines


@pytest.mark.skipif(not processes.PROC.exists(), reason="only /proc tells")
def test_the_environment_and_the_working_folder_of_a_process(tmp_path: Path) -> None:
    with sleeping(cwd=tmp_path, env={"HOUSE": "this one"}) as process:
        assert processes.has_in_environment(process.pid, "HOUSE=this one")
        assert not processes.has_in_environment(process.pid, "HOUSE=this")
        program = Path("/bin/sleep").resolve().name
        assert processes.working_in(tmp_path.resolve(), program=program) == {process.pid}
        assert processes.working_in(tmp_path.resolve(), program="postgres") == set()


def test_a_group_lives_until_its_last_process_was_waited_for(sleeper) -> None:
    assert processes.leads_session(sleeper.pid)
    assert processes.group_lives(sleeper.pid)
    assert processes.signal_group(sleeper.pid, signal.SIGKILL)
    sleeper.wait()
    assert not processes.group_lives(sleeper.pid)
    assert not processes.signal_group(sleeper.pid, signal.SIGKILL)


def test_a_child_of_ours_does_not_lead_our_session() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert not processes.leads_session(process.pid)


def test_a_group_of_ended_processes_lives_but_does_not_work() -> None:
    with sleeping() as leader:
        assert processes.group_works(leader.pid)
        leader.kill()
        os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
        assert processes.group_lives(leader.pid)
        assert processes.group_works(leader.pid) is not processes.PROC.exists()
    assert not processes.group_works(leader.pid)
