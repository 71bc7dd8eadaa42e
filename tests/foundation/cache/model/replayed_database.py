"""The database of a replay: writers, and servers that lag as far as a way through the model wants.

A lagging server is a snapshot that was taken then and is held. What it shows and what its xmin is are a
replica's that has replayed so much (`test_snapshots.py` holds the model against a real replica).
"""

import asyncio

import asyncpg
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, bindparam, insert, select
from tests.foundation.cache.remembered import Shown

from midrise.foundation.cache.reads import Reading
from midrise.foundation.database.statements import FOUND, NEXT_XID, XID, XMIN, Statement

TABLES = "CREATE TABLE writes (history bigint NOT NULL, writer integer NOT NULL)"

_WRITES = Table("writes", MetaData(), Column("history", BigInteger), Column("writer", Integer))
_WRITE = Statement(insert(_WRITES).values(history=bindparam("history"), writer=bindparam("writer")))
_SHOW = Statement(
    select(_WRITES.c.writer).where(_WRITES.c.history == bindparam("history")).order_by(_WRITES.c.writer)
)


class Connections:
    """Connections to one database; those that come back are used again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[asyncpg.Connection] = []

    async def take(self) -> asyncpg.Connection:
        return self._idle.pop() if self._idle else await asyncpg.connect(self._url)

    def give_back(self, connection: asyncpg.Connection) -> None:
        self._idle.append(connection)

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()


class Writer:
    """A transaction that has written, and so has its id."""

    def __init__(self, connection: asyncpg.Connection, xid: int) -> None:
        self.connection = connection
        self.xid = xid
        self.is_marked = False


class HistoryDatabase:
    """What one history reads and writes."""

    def __init__(self, connections: Connections, *, history: int) -> None:
        self._connections = connections
        self.history = history
        self._held: list[tuple[frozenset[int], asyncpg.Connection]] = []
        self._primary: asyncpg.Connection | None = None
        self._one_by_one = asyncio.Lock()
        self.writers: dict[int, Writer] = {}
        self.committed: frozenset[int] = frozenset()

    async def open(self) -> None:
        self._primary = await self._connections.take()
        await self._hold_snapshot()

    async def close(self) -> None:
        for number in list(self.writers):
            await self.roll_back(number)
        for _, connection in self._held:
            await connection.execute("ROLLBACK")
            self._connections.give_back(connection)
        if self._primary is not None:
            self._connections.give_back(self._primary)

    async def begin(self, number: int) -> None:
        connection = await self._connections.take()
        await connection.execute("BEGIN")
        values = _WRITE.arguments({"history": self.history, "writer": number})
        xid = await connection.fetchval(f"WITH w AS ({_WRITE.xid_sql}) SELECT {XID} FROM w", *values)
        self.writers[number] = Writer(connection, xid)

    async def commit(self, number: int) -> None:
        writer = self.writers.pop(number)
        await writer.connection.execute("COMMIT")
        self._connections.give_back(writer.connection)
        self.committed |= {number}
        await self._hold_snapshot()

    async def roll_back(self, number: int) -> None:
        writer = self.writers.pop(number)
        await writer.connection.execute("ROLLBACK")
        self._connections.give_back(writer.connection)
        await self._hold_snapshot()

    async def crash(self, number: int) -> None:
        """Its connection ends, and nobody has said how the transaction ends."""
        connection = self.writers.pop(number).connection
        assert self._primary is not None
        end = "SELECT pg_terminate_backend($1, 10000)"
        async with self._one_by_one:
            assert await self._primary.fetchval(end, connection.get_server_pid())
        connection.terminate()
        await self._hold_snapshot()

    async def show_now(self) -> Reading[Shown]:
        """By the primary, in a statement of its own."""
        return await self._show(self._primary, tells_next_xid=True)

    async def show_late(self, shown: frozenset[int]) -> Reading[Shown] | None:
        """By a server that lags so far that it shows just that, the last such one; None where none does."""
        for held, connection in reversed(self._held):
            if held == shown:
                return await self._show(connection, tells_next_xid=False)
        return None

    async def _show(self, connection: asyncpg.Connection | None, *, tells_next_xid: bool) -> Reading[Shown]:
        assert connection is not None
        async with self._one_by_one:
            rows = await connection.fetch(_SHOW.placed_sql, *_SHOW.arguments({"history": self.history}))
        text = " ".join(str(row["writer"]) for row in rows if row[FOUND])
        return Reading(Shown(text), rows[0][XMIN], rows[0][NEXT_XID] if tells_next_xid else None)

    async def _hold_snapshot(self) -> None:
        connection = await self._connections.take()
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT 1 FROM writes")
        self._held.append((self.committed, connection))
