"""One process: started, awaited, stopped."""

import asyncio
import os
from pathlib import Path

import psutil
import pytest
from tests.topology.house import wait_for
from tests.topology.scripts import STEADY, Script

from midrise.topology.child import Child
from midrise.topology.errors import CannotStart


def run(script: Script, logs: Path, *, then) -> Child:
    child = Child(script, logs=logs)

    async def life() -> None:
        await child.start()
        try:
            await then(child)
        finally:
            await child.stop()

    asyncio.run(life())
    return child


async def ready(child: Child) -> None:
    await child.ready()


def test_a_child_is_ready_when_its_component_says_so_and_gone_after_stop(tmp_path: Path) -> None:
    pids = []

    async def look(child: Child) -> None:
        await child.ready()
        pids.append(child.pid)

    child = run(Script(tmp_path, STEADY), tmp_path, then=look)
    assert not psutil.pid_exists(pids[0])
    assert child.pid is None


def test_one_that_ends_while_starting_is_refused_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(CannotStart) as refusal:
        run(Script(tmp_path, "echo hello; echo no disk today; exit 3"), tmp_path, then=ready)
    assert str(refusal.value) == (
        f"script ended while it was starting (exit code 3): no disk today (more in {tmp_path / 'script.log'})"
    )


def test_what_it_said_last_about_a_fatal_trouble_wins_over_what_came_later(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="FATAL: no memory"):
        run(Script(tmp_path, "echo FATAL: no memory; echo bye; exit 1"), tmp_path, then=ready)


def test_only_the_output_of_this_start_counts(tmp_path: Path) -> None:
    (tmp_path / "script.log").write_text("FATAL: of yesterday\n")
    with pytest.raises(CannotStart, match="said nothing"):
        run(Script(tmp_path, "exit 1"), tmp_path, then=ready)


def test_one_that_is_never_ready_is_refused(tmp_path: Path) -> None:
    script = Script(tmp_path, "exec sleep 60")
    script.start_limit_s = 0.1
    with pytest.raises(CannotStart, match="was not ready after"):
        run(script, tmp_path, then=ready)


def test_one_that_ignores_the_signal_is_ended_by_force_with_all_its_children(tmp_path: Path) -> None:
    families = []

    async def look(child: Child) -> None:
        await child.ready()
        families.extend([child.pid, *(each.pid for each in psutil.Process(child.pid).children())])

    script = Script(tmp_path, 'trap "" TERM; sleep 60 & touch "$1"; while :; do sleep 1; done')
    script.stop_limit_s = 0.1
    run(script, tmp_path, then=look)
    assert len(families) > 1
    wait_for(lambda: not any(map(is_running, families)))


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_child_leads_a_session_of_its_own_so_that_ctrl_c_passes_it_by(tmp_path: Path) -> None:
    async def look(child: Child) -> None:
        assert os.getsid(child.pid) == child.pid

    run(Script(tmp_path, STEADY), tmp_path, then=look)


def test_in_a_hurry_nobody_is_waited_for(tmp_path: Path) -> None:
    async def hurry(child: Child) -> None:
        await child.ready()
        stopping = asyncio.create_task(child.stop())
        await asyncio.sleep(0)
        child.hurry()
        await stopping

    script = Script(tmp_path, 'trap "" TERM; touch "$1"; while :; do sleep 1; done')
    script.stop_limit_s = 3600
    run(script, tmp_path, then=hurry)


def test_what_is_stopped_after_the_hurry_began_ends_at_once(tmp_path: Path) -> None:
    async def hurry(child: Child) -> None:
        await child.ready()
        child.hurry()

    script = Script(tmp_path, 'trap "" TERM; touch "$1"; while :; do sleep 1; done')
    script.stop_limit_s = 3600
    run(script, tmp_path, then=hurry)
