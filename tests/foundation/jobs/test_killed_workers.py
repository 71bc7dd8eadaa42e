"""D14: a worker that is killed at any step loses nothing, and a change that was rolled back has no effect."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tests.foundation.jobs.greeting_worker import Greeting
from tests.foundation.waiting import until

from midrise.foundation.database import Database
from midrise.foundation.jobs import PgQueuerJobs

pytestmark = pytest.mark.anyio

WORKER = Path(__file__).with_name("greeting_worker.py")


@pytest.fixture
async def start_process(database_url: str, tmp_path: Path) -> AsyncIterator:
    """Starts a worker that stops at a step: ``await start_process("taken")``."""
    started: list[asyncio.subprocess.Process] = []

    async def start(step: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(WORKER), database_url, str(tmp_path / "greeted"), step),
            stdout=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def here(process: asyncio.subprocess.Process) -> None:
    """Wait until the worker says that it stands at its step."""
    async with asyncio.timeout(20):
        while b"here" not in await process.stdout.readline():
            pass


async def ask(database: Database, whom: str, *, then: Callable[[], object] = bool) -> None:
    async with database.write() as tx:
        await PgQueuerJobs().enqueue(tx, Greeting(whom))
        then()


@pytest.mark.parametrize("step", ["idle", "taken", "done", "failed"])
async def test_a_killed_worker_loses_nothing_and_invents_nothing(
    step: str, database: Database, start_process, emptier, tmp_path: Path
):
    greeted = tmp_path / "greeted"
    victim = await start_process(step)
    await ask(database, "committed")
    with pytest.raises(ZeroDivisionError):
        await ask(database, "rolled back", then=lambda: 1 // 0)
    await here(victim)
    if step == "failed":

        async def has_failed() -> bool:
            return bool(await emptier.fetch("SELECT FROM pgqueuer WHERE attempts > 0"))

        await until(has_failed)
    victim.kill()
    await victim.communicate()
    assert await emptier.fetchval("SELECT count(*) FROM pgqueuer") == 1

    await start_process("never")

    async def is_empty() -> bool:
        return await emptier.fetchval("SELECT count(*) FROM pgqueuer") == 0

    await until(is_empty)
    expected = ["committed"] * (2 if step == "done" else 1)
    assert greeted.read_text().splitlines() == expected
