"""The database as services see it: `read()` and `write()`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import structlog
from sqlalchemy import literal, select

from midrise.foundation.database.errors import (
    CONNECTION_TROUBLE,
    ConstraintErrors,
    OutcomeUnknown,
    told_or_raised,
)
from midrise.foundation.database.pool import ConnectionPool
from midrise.foundation.database.statements import Statement
from midrise.foundation.database.units import AfterCommit, ReadUnit, WriteUnit

_PROBE = Statement(select(literal(1)))

log = structlog.get_logger()


class Database:
    """Opens units of work on the pools that it was given."""

    def __init__(
        self, *, write_pool: ConnectionPool, read_pool: ConnectionPool, constraint_errors: ConstraintErrors
    ) -> None:
        self._write_pool = write_pool
        self._read_pool = read_pool
        self._constraint_errors = constraint_errors

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadUnit]:
        """A unit that reads. Raises `Unavailable` where the database is away or too busy."""
        unit = ReadUnit(self._read_pool, self._constraint_errors)
        try:
            yield unit
        finally:
            await unit.close()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteUnit]:
        """A unit that writes, in one transaction: committed if it ends well, rolled back by any error.

        Raises `Unavailable` where the database is away or a lock is held too long, and `OutcomeUnknown` where
        the connection broke during the commit.
        """
        async with self._write_pool.connection() as connection:
            transaction = connection.transaction()
            await self._begin(transaction)
            unit = WriteUnit(connection, self._constraint_errors)
            try:
                yield unit
            except BaseException:
                await _roll_back(transaction)
                raise
            await self._commit(transaction)
        for call in unit.after:
            await _run_after_commit(call)

    async def check(self) -> None:
        """Raises `Unavailable` where the primary does not answer."""
        async with self.read() as unit:
            await unit.value(_PROBE)

    async def close(self) -> None:
        await self._read_pool.close()
        await self._write_pool.close()

    async def _begin(self, transaction: Any) -> None:
        try:
            await transaction.start()
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE) as trouble:
            raise told_or_raised(trouble, self._constraint_errors) from trouble

    async def _commit(self, transaction: Any) -> None:
        try:
            await transaction.commit()
        except CONNECTION_TROUBLE as trouble:
            raise OutcomeUnknown from trouble
        except asyncpg.PostgresError as refused:
            raise told_or_raised(refused, self._constraint_errors) from refused


async def _roll_back(transaction: Any) -> None:
    try:
        await transaction.rollback()
    except (asyncpg.PostgresError, *CONNECTION_TROUBLE):
        # The server rolls back what a broken connection leaves; the error that brought us here matters more.
        log.warning("database.rollback_failed", exc_info=True)


async def _run_after_commit(call: AfterCommit) -> None:
    try:
        await call()
    except Exception:
        # The change stands: what follows it may fail, but may not undo the answer.
        log.exception("database.after_commit_failed")
