"""Does what is due: pgqueuer's queue and schedules in PostgreSQL, with a connection that is made again."""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from pgqueuer import PgQueuer

from midrise.foundation.database import connect
from midrise.foundation.database.pool import PoolSettings
from midrise.foundation.errors import Unavailable
from midrise.foundation.jobs.job import Job
from midrise.foundation.observability.metrics import JOBS

log = structlog.get_logger()

_RETRY_SECONDS = 1.0


class PgQueuerWorker:
    """Runs jobs at their times. Several workers share the work: each due run is taken by one of them."""

    def __init__(self, settings: PoolSettings, jobs: Sequence[Job]) -> None:
        self._settings = settings
        self._jobs = jobs
        self.is_connected = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until the event is set; a job that runs then is finished."""
        while not stopping.is_set():
            try:
                await self._work(stopping)
            except Exception:
                # Whatever broke the queue's machinery, most often a lost connection, is no reason to stay down.
                log.warning("worker.interrupted", exc_info=True)
            self.is_connected = False
            await _wait(stopping, _RETRY_SECONDS)

    async def check(self) -> None:
        """Raises `Unavailable` where the worker is not connected."""
        if not self.is_connected:
            raise Unavailable

    async def _work(self, stopping: asyncio.Event) -> None:
        connection = await connect(self._settings)
        try:
            queuer = PgQueuer.from_asyncpg_connection(connection)
            for job in self._jobs:
                _schedule(queuer, job)
            # The queue would find a lost connection only when it next looks for work.
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            self.is_connected = True
            working = asyncio.create_task(queuer.run(shutdown_on_listener_failure=True))
            signals = {asyncio.create_task(lost.wait()), asyncio.create_task(stopping.wait())}
            await asyncio.wait({working, *signals}, return_when=asyncio.FIRST_COMPLETED)
            for signal in signals:
                signal.cancel()
            queuer.shutdown.set()
            await working
        finally:
            await connection.close(timeout=2)


def _schedule(queuer: PgQueuer, job: Job) -> None:
    async def run(_: Any) -> None:
        log.info("job.started", job=job.name)
        try:
            await job.run()
        except Exception:
            JOBS.labels(job.name, "failed").inc()
            log.exception("job.failed", job=job.name)
        else:
            JOBS.labels(job.name, "done").inc()
            log.info("job.done", job=job.name)

    queuer.schedule(job.name, job.schedule, clean_old=True)(run)


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), timeout=seconds)
    except TimeoutError:
        return
