"""A component that is kept running."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.topology.scripts import STEADY, DisposableScript, Script, until

from midrise.topology.errors import CannotStart
from midrise.topology.events import Event, Noted
from midrise.topology.kept import Kept, State
from midrise.topology.leftovers import ProcessRecord

LIMIT_S = 20


def live(kept: Kept, life: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(LIMIT_S):
            try:
                await life()
            finally:
                await kept.stop()

    asyncio.run(bounded())


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def keep(tmp_path: Path, told: list[Event]) -> Callable[[Script], Kept]:
    record = ProcessRecord(tmp_path / "processes.json")
    return lambda script: Kept(script, logs=tmp_path, record=record, tell=told.append)


def test_one_that_is_killed_is_back_and_counted(tmp_path: Path, keep, told: list[Event]) -> None:
    kept = keep(Script(tmp_path, STEADY))

    async def life() -> None:
        await kept.start()
        first = kept.pid
        os.kill(first, signal.SIGKILL)
        await until(lambda: kept.restarts == 1 and kept.state is State.RUNNING)
        assert kept.pid not in {None, first}

    live(kept, life)
    assert told[0] == Noted("script ended (SIGKILL); it is started again")
    assert kept.status.state == "stopped"


def test_one_that_became_another_is_told_of_by_its_new_name(tmp_path: Path, keep, told: list[Event]) -> None:
    kept, other = keep(Script(tmp_path, STEADY)), Script(tmp_path, STEADY)
    other.name = "other"

    async def life() -> None:
        await kept.start()
        await asyncio.sleep(0)  # it is watched from now on
        kept.become(other)
        os.kill(kept.pid, signal.SIGKILL)
        await until(lambda: kept.restarts == 1 and kept.state is State.RUNNING)

    live(kept, life)
    assert told[0] == Noted("other ended (SIGKILL); it is started again")


def test_one_that_is_stopped_by_order_stays_down(tmp_path: Path, keep, told: list[Event]) -> None:
    kept = keep(Script(tmp_path, STEADY))

    async def life() -> None:
        await kept.start()
        await kept.stop()

    live(kept, life)
    assert (kept.pid, kept.restarts, told) == (None, 0, [])


def test_replacing_it_gives_a_new_process_and_counts_no_restart(tmp_path: Path, keep) -> None:
    kept = keep(Script(tmp_path, STEADY))

    async def life() -> None:
        await kept.start()
        first = kept.pid
        await kept.replace()
        assert kept.pid not in {None, first}
        assert (kept.state, kept.restarts) == (State.RUNNING, 0)

    live(kept, life)


def test_a_first_start_that_fails_is_refused_and_leaves_nothing(tmp_path: Path, keep) -> None:
    kept = keep(Script(tmp_path, "exit 1"))
    with pytest.raises(CannotStart):
        live(kept, kept.start)
    assert (kept.pid, kept.state) == (None, State.STOPPED)


def test_a_replacement_that_fails_is_refused_but_tried_again(tmp_path: Path, keep) -> None:
    script = Script(tmp_path, STEADY)
    kept = keep(script)

    async def life() -> None:
        await kept.start()
        script.text = "exit 1"
        with pytest.raises(CannotStart):
            await kept.replace()
        assert kept.state is State.RESTARTING
        script.text = STEADY
        await until(lambda: kept.state is State.RUNNING)

    live(kept, life)


def test_one_that_keeps_dying_is_tried_again_and_again(tmp_path: Path, keep, told: list[Event]) -> None:
    script = Script(tmp_path, STEADY)
    kept = keep(script)

    async def life() -> None:
        await kept.start()
        script.text = "exit 7"
        os.kill(kept.pid, signal.SIGKILL)
        await until(lambda: len([note for note in told if "did not come back" in note.text]) >= 3)
        assert kept.state is State.RESTARTING
        script.text = STEADY
        await until(lambda: kept.state is State.RUNNING)

    live(kept, life)
    assert kept.restarts == 1


def test_one_that_is_beyond_repair_is_made_anew(tmp_path: Path, keep) -> None:
    kept = keep(DisposableScript(tmp_path))

    async def life() -> None:
        await kept.start()
        assert kept.state is State.RUNNING

    live(kept, life)
    assert kept.component.mark.exists()
