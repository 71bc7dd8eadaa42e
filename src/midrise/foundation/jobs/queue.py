"""Asks for jobs, in the transaction of the change that they follow from."""

import asyncio
from datetime import timedelta
from importlib import import_module
from typing import Any

import msgspec

from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.database.errors import told_or_raised
from midrise.foundation.jobs.job import QueuedJob

_PRIORITY = 0
_FORGET = (
    "DELETE FROM pgqueuer_log WHERE created < now() - interval '7 days'",
    "DELETE FROM pgqueuer_statistics WHERE created < now() - interval '30 days'",
    "DELETE FROM pgqueuer WHERE status = 'failed' AND updated < now() - interval '30 days'",
)


class PgQueuerJobs:
    """The queue in PostgreSQL, as those see it who ask for jobs."""

    def __init__(self) -> None:
        self._insert = ""

    async def enqueue(self, tx: WriteUnit, job: QueuedJob) -> None:
        """Have the worker do it, at least once, if the transaction is committed, and never if it is not."""
        self._insert = self._insert or await asyncio.to_thread(_library_statement)
        values = (_PRIORITY, job.name, msgspec.json.encode(job), timedelta(0), None, None)
        try:
            # The statement takes many jobs at once: a list for each of its parameters.
            await tx.connection.execute(self._insert, *([value] for value in values))
        except Exception as trouble:
            raise told_or_raised(trouble, {}) from trouble


def _library_statement() -> str:
    """The library's statement that adds jobs: priority, name, payload, delay, key against twins, headers.

    Not its own method, which encodes JSON that our connections encode as well. The library takes a fifth of the
    time that a server needs to start, so it is read with the first job.
    """
    library: Any = import_module("pgqueuer.adapters.persistence.qb")
    return str(library.QueryQueueBuilder().build_enqueue_query())


async def forget_old_jobs(database: Database) -> None:
    """Forget what became of jobs a week ago, and those that were given up a month ago."""
    for statement in _FORGET:
        async with database.write() as tx:
            await tx.connection.execute(statement)
