"""Does what is due or asked for: pgqueuer's queue and schedules in PostgreSQL.

Its connection is made again when it breaks, and when another server becomes the primary.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from pgqueuer import PgQueuer, RetryRequested

from midrise.foundation.database import connect
from midrise.foundation.database.nodes import Nodes
from midrise.foundation.database.pool import PoolSettings
from midrise.foundation.errors import Unavailable
from midrise.foundation.jobs.job import AnyHandler, Hopeless, Job
from midrise.foundation.observability.metrics import JOBS

log = structlog.get_logger()

_RETRY_SECONDS = 1.0
_LOOK_SECONDS = 10
"""How long at most until a job is found whose notice was lost; most are found at once."""
_TAKEN_AT_ONCE = 5
_MOST_AT_ONCE = 20


class PgQueuerWorker:
    """Runs jobs at their times, and those that changes asked for. Several workers share the work.

    A job that was asked for stays in the queue until it is done. Where the worker that took it has not been
    heard of for ``lost_after_seconds``, another one takes it. ``nodes`` are the servers of the database, where
    there are more than the settings name.
    """

    def __init__(
        self,
        settings: PoolSettings,
        jobs: Sequence[Job],
        *,
        nodes: Nodes | None = None,
        handlers: Sequence[AnyHandler] = (),
        lost_after_seconds: float = 30,
    ) -> None:
        self._settings = settings
        self._nodes = nodes or Nodes.of(settings, reading=settings)
        self._jobs = jobs
        self._handlers = handlers
        self._lost_after = timedelta(seconds=lost_after_seconds)
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
        await self._nodes.close()

    async def check(self) -> None:
        """Raises `Unavailable` where the worker is not connected."""
        if not self.is_connected:
            raise Unavailable

    async def _work(self, stopping: asyncio.Event) -> None:
        primary = await self._nodes.find_primary()
        connection = await connect(replace(self._settings, url=primary.url))
        try:
            self._nodes.refuse_old_primary(primary, connection)
            # The library encodes its JSON by itself.
            await connection.reset_type_codec("jsonb", schema="pg_catalog")
            queuer = PgQueuer.from_asyncpg_connection(connection)
            for job in self._jobs:
                _schedule(queuer, job)
            for handler in self._handlers:
                _register(queuer, handler)
            # The queue would find a lost connection only when it next looks for work.
            lost = asyncio.Event()
            connection.add_termination_listener(lambda _: lost.set())
            self.is_connected = True
            working = asyncio.create_task(
                queuer.run(
                    dequeue_timeout=min(self._lost_after, timedelta(seconds=_LOOK_SECONDS)),
                    batch_size=_TAKEN_AT_ONCE,
                    max_concurrent_tasks=_MOST_AT_ONCE,
                    shutdown_on_listener_failure=True,
                    heartbeat_timeout=self._lost_after,
                )
            )
            moved = asyncio.create_task(self._nodes.primary_changed(primary))
            signals = {moved, asyncio.create_task(lost.wait()), asyncio.create_task(stopping.wait())}
            await asyncio.wait({working, *signals}, return_when=asyncio.FIRST_COMPLETED)
            if moved.done():
                # The old primary may still live: nothing more may be done there.
                connection.terminate()
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
            _count(job.name, "failed")
            log.exception("job.failed", job=job.name)
        else:
            _count(job.name, "done")
            log.info("job.done", job=job.name)

    queuer.schedule(job.name, job.schedule, clean_old=True)(run)


def _register(queuer: PgQueuer, handler: AnyHandler) -> None:
    async def run(queued: Any) -> None:
        attempts = queued.attempts + 1
        told = log.bind(job=handler.kind.name, job_id=queued.id, attempt=attempts)
        told.info("job.started")
        try:
            await handler.run(msgspec.json.decode(queued.payload, type=handler.kind))
        except asyncio.CancelledError:
            # The queue's machinery broke around the job; what is cancelled counts as done there.
            raise RetryRequested(reason="interrupted") from None
        except Exception as error:  # noqa: BLE001  whatever it was, the job is tried again or given up
            if isinstance(error, Hopeless) or attempts >= handler.retries.most_attempts:
                _count(handler.kind.name, "given_up")
                told.exception("job.given_up")
                raise _GivenUp(type(error).__name__) from None
            pause_seconds = handler.retries.pause_seconds(attempts)
            _count(handler.kind.name, "failed")
            told.warning("job.failed", again_in_seconds=pause_seconds, exc_info=True)
            # Without the cause: the queue keeps the text, which may say more than is to be kept.
            raise RetryRequested(timedelta(seconds=pause_seconds), type(error).__name__) from None
        _count(handler.kind.name, "done")
        told.info("job.done")

    queuer.entrypoint(handler.kind.name, accepts_context=False, on_failure="hold")(run)


def _count(name: str, outcome: str) -> None:
    JOBS.labels(name, outcome).inc()


class _GivenUp(Exception):
    """The job is kept as failed and is not tried again; the log has said why."""


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), timeout=seconds)
    except TimeoutError:
        return
