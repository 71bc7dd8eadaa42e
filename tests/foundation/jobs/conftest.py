"""Workers on the test's database, and a database to ask for jobs on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from midrise.foundation.database import Database, PoolSettings
from midrise.foundation.jobs import AnyHandler, Job
from midrise.foundation.jobs import worker as jobs_worker
from midrise.foundation.jobs.worker import PgQueuerWorker


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database.on_one_server(PoolSettings(database_url, "midrise test"))
    yield database
    await database.close()


@pytest.fixture
async def start(database_url: str, monkeypatch) -> AsyncIterator:
    """Starts a worker on the test's database: ``start(job, …)``, and gives it with what stops it."""
    monkeypatch.setattr(jobs_worker, "_RETRY_SECONDS", 0.01)
    async with contextlib.AsyncExitStack() as stack:

        async def run(*jobs: Job, handlers: Sequence[AnyHandler] = (), url: str = database_url):
            stopping = asyncio.Event()
            settings = PoolSettings(url, "midrise test jobs")
            worker = PgQueuerWorker(settings, jobs, handlers=handlers, lost_after_seconds=1)
            task = asyncio.create_task(worker.run(stopping))

            async def stop() -> None:
                stopping.set()
                await asyncio.wait_for(task, timeout=20)

            stack.push_async_callback(stop)
            return worker, stop

        yield run
