"""Units of work that write."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg
from sqlalchemy import select

from midrise.foundation.database.errors import (
    CONNECTION_TROUBLE,
    ConstraintErrors,
    OutcomeUnknown,
    told_or_raised,
)
from midrise.foundation.database.joined import Joined, LateInsert, join
from midrise.foundation.database.statements import XID, Statement, current_xid
from midrise.foundation.database.units import ReadUnit
from midrise.foundation.errors import Unavailable

_MOST_JOINED = 4
"""So that the statements that can come of joining are few, and none grows beyond measure."""

_TRANSACTION_ID = Statement(select(current_xid()))

AfterCommit = Callable[[], Awaitable[None]]


class WriteUnit(ReadUnit):
    """One transaction on the primary: all of it, or nothing."""

    def __init__(self, connection: Any, constraint_errors: ConstraintErrors) -> None:
        self._constraint_errors = constraint_errors
        self._connection = connection
        self._waiting: list[tuple[LateInsert, Mapping[str, object]]] = []
        self._xid: int | None = None
        self.after: list[AfterCommit] = []
        self.marked: set[str] = set()

    def later(self, statement: LateInsert, **values: object) -> None:
        """Have something inserted before the commit, together with what else waits: in one round trip.

        Until then the unit itself does not find it.
        """
        self._waiting.append((statement, values))

    async def conclude(self, statement: Statement, **values: object) -> asyncpg.Record | None:
        """The last statement of the unit, and with it what waits: that is inserted only if it gives a row.

        The row, or None.
        """
        while len(self._waiting) > _MOST_JOINED:
            await self._insert_some()
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return await self._conclude(statement, statement.arguments(values))
        joined = join(statement, *(each for each, _ in waiting))
        return await self._conclude(joined, joined.arguments(values, [given for _, given in waiting]))

    async def insert_waiting(self) -> None:
        """Insert what waits now, for a statement that has to find it."""
        while self._waiting:
            await self._insert_some()

    async def value(self, statement: Statement, **values: object) -> Any:
        """The first column of the first row, or None."""
        return await self._run("fetchval", statement, values)

    async def execute(self, statement: Statement, **values: object) -> int:
        """Run a change; the number of rows that it touched."""
        if statement.xid_sql is not None and self._xid is None:
            return 0 if await self.row(statement, **values) is None else 1
        status: str = await self._run("execute", statement, values)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def transaction_id(self) -> int:
        """The id that PostgreSQL knows this transaction by; it gets one now if it has written nothing yet."""
        xid = self._xid if self._xid is not None else int(await self.value(_TRANSACTION_ID))
        self._xid = xid
        return xid

    async def copy(self, table: str, *, columns: Sequence[str], records: Any) -> int:
        """Load rows (tuples, in an iterable or an async iterable) by COPY; their number."""
        self._require_begun()
        try:
            status: str = await self._connection.copy_records_to_table(
                table, columns=columns, records=records, timeout=None
            )
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE) as trouble:
            raise told_or_raised(trouble, self._constraint_errors) from trouble
        return int(status.rpartition(" ")[2])

    def mark(self, *generations: str) -> None:
        """Say what the change makes old: no cached answer of these generations outlives the commit.

        Any time before the unit ends will do; a unit that is rolled back marks in vain, and harms nothing.
        """
        self._require_begun()
        self.marked.update(generations)

    def after_commit(self, call: AfterCommit) -> None:
        """Have something done once the change is committed, and only then. Its failure is logged, not told."""
        self.after.append(call)

    @property
    def connection(self) -> Any:
        """The connection of the transaction, for the job queue that writes its own statements on it."""
        self._require_begun()
        return self._connection

    async def close(self) -> None:
        """The connection belongs to the transaction, which gives it back."""

    async def _run(self, method: str, statement: Statement, values: Mapping[str, object]) -> Any:
        self._require_begun()
        is_asked = method == "fetchrow" and self._xid is None and statement.xid_sql is not None
        sql = statement.xid_sql if is_asked and statement.xid_sql else statement.sql
        try:
            answer = await getattr(self._connection, method)(sql, *statement.arguments(values))
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE) as trouble:
            raise told_or_raised(trouble, self._constraint_errors) from trouble
        if is_asked and answer is not None:
            self._xid = answer[XID]
        return answer

    async def _insert_some(self) -> None:
        self._require_begun()
        some, self._waiting = self._waiting[:_MOST_JOINED], self._waiting[_MOST_JOINED:]
        joined = join(None, *(each for each, _ in some))
        await self._conclude(joined, joined.arguments({}, [given for _, given in some]))

    async def _conclude(self, statement: Statement | Joined, arguments: list[object]) -> asyncpg.Record | None:
        try:
            answer = await self._connection.fetchrow(statement.sql, *arguments)
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE) as trouble:
            raise told_or_raised(trouble, self._constraint_errors) from trouble
        if isinstance(statement, Joined) and answer is not None:
            self._xid = answer[XID]
        return answer

    def _require_begun(self) -> None:
        """For the kind of unit that has no transaction to do it in."""


class SingleWriteUnit(WriteUnit):
    """A unit of one statement, its last, which commits by itself. Its changes have to wait for it."""

    _is_over = False

    async def _conclude(self, statement: Statement | Joined, arguments: list[object]) -> asyncpg.Record | None:
        if self._is_over:
            raise RuntimeError("This unit has had its one statement.")
        self._is_over = True
        if self._connection.is_closed():
            raise Unavailable
        try:
            return await super()._conclude(statement, arguments)
        except Unavailable as told:
            if isinstance(told.__cause__, CONNECTION_TROUBLE):
                raise OutcomeUnknown from told.__cause__
            raise

    def require_over(self) -> None:
        """Nothing that was to be inserted may be left."""
        if self._waiting:
            raise RuntimeError("This unit ends without its statement.")

    def _require_begun(self) -> None:
        raise RuntimeError("This unit has one statement, its last: what it does has to wait for that.")
