"""Units of work: what a service verb opens, and what repositories run their statements on.

Reading and writing are two types, so that a verb that only reads can't write: its unit has no way to, and its
connections refuse (``default_transaction_read_only``).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import asyncpg

from midrise.foundation.database.errors import (
    CONNECTION_TROUBLE,
    ConstraintErrors,
    told_or_raised,
)
from midrise.foundation.database.pool import ConnectionPool
from midrise.foundation.database.statements import Statement

AfterCommit = Callable[[], Awaitable[None]]


class ReadUnit:
    """Statements that change nothing, each seeing what was committed before it.

    A connection is taken with the first statement. One that breaks is replaced and its statement repeated once:
    a read may be.
    """

    def __init__(self, pool: ConnectionPool, constraint_errors: ConstraintErrors) -> None:
        self._pool = pool
        self._constraint_errors = constraint_errors
        self._held = AsyncExitStack()
        self._connection: Any = None

    async def rows(self, statement: Statement, **values: object) -> Sequence[asyncpg.Record]:
        """Every row of the result."""
        rows: Sequence[asyncpg.Record] = await self._run("fetch", statement, values)
        return rows

    async def row(self, statement: Statement, **values: object) -> asyncpg.Record | None:
        """The first row of the result, or None."""
        return await self._run("fetchrow", statement, values)

    async def value(self, statement: Statement, **values: object) -> Any:
        """The first column of the first row, or None."""
        return await self._run("fetchval", statement, values)

    async def close(self) -> None:
        """Give the connection back."""
        self._connection = None
        await self._held.aclose()

    async def _run(self, method: str, statement: Statement, values: Mapping[str, object]) -> Any:
        arguments = statement.arguments(values)
        try:
            return await self._run_once(method, statement.sql, arguments)
        except TimeoutError as trouble:
            # The time was spent: repeating it would spend it again. (A TimeoutError is an OSError as well.)
            raise told_or_raised(trouble, self._constraint_errors) from trouble
        except CONNECTION_TROUBLE:
            await self.close()
        except asyncpg.PostgresError as refused:
            raise told_or_raised(refused, self._constraint_errors) from refused
        try:
            return await self._run_once(method, statement.sql, arguments)
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE) as trouble:
            raise told_or_raised(trouble, self._constraint_errors) from trouble

    async def _run_once(self, method: str, sql: str, arguments: list[object]) -> Any:
        if self._connection is None:
            self._connection = await self._held.enter_async_context(self._pool.connection())
        return await getattr(self._connection, method)(sql, *arguments)


class WriteUnit(ReadUnit):
    """One transaction on the primary: all of it, or nothing."""

    def __init__(self, connection: Any, constraint_errors: ConstraintErrors) -> None:
        self._constraint_errors = constraint_errors
        self._connection = connection
        self.after: list[AfterCommit] = []

    async def execute(self, statement: Statement, **values: object) -> int:
        """Run a change; the number of rows that it touched."""
        status: str = await self._run("execute", statement, values)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def copy(self, table: str, *, columns: Sequence[str], records: Any) -> int:
        """Load rows (tuples, in an iterable or an async iterable) by COPY; their number."""
        try:
            status: str = await self._connection.copy_records_to_table(
                table, columns=columns, records=records, timeout=None
            )
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE) as trouble:
            raise told_or_raised(trouble, self._constraint_errors) from trouble
        return int(status.rpartition(" ")[2])

    def after_commit(self, call: AfterCommit) -> None:
        """Have something done once the change is committed, and only then. Its failure is logged, not told."""
        self.after.append(call)

    @property
    def connection(self) -> Any:
        """The connection of the transaction, for the job queue that writes its own statements on it."""
        return self._connection

    async def close(self) -> None:
        """The connection belongs to the transaction, which gives it back."""

    async def _run(self, method: str, statement: Statement, values: Mapping[str, object]) -> Any:
        try:
            return await getattr(self._connection, method)(statement.sql, *statement.arguments(values))
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE) as trouble:
            raise told_or_raised(trouble, self._constraint_errors) from trouble
