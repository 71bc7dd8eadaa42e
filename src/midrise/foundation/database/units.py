"""Units of work that read: what a service verb opens, and what repositories run their statements on.

Reading and writing are two types, so that a verb that only reads can't write: its unit has no way to, and its
connections refuse (``default_transaction_read_only``).
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Self

import asyncpg

from midrise.foundation.database.errors import (
    CONNECTION_TROUBLE,
    REPLICA_TROUBLE,
    ConstraintErrors,
    OldPrimary,
    tells_of_lost_primary,
    told_or_raised,
)
from midrise.foundation.database.nodes import Node, Nodes
from midrise.foundation.database.places import Lent
from midrise.foundation.database.pool import ConnectionPool
from midrise.foundation.database.positions import NOWHERE, Consistency, Position, consistency
from midrise.foundation.database.statements import FOUND, NEXT_XID, PLACE, XMIN, Statement
from midrise.foundation.errors import Unavailable
from midrise.foundation.observability.metrics import READS

_MOST_TRIES = 3


class ReadUnit:
    """Statements that change nothing, each seeing what was committed before it.

    A connection is taken with the first statement. Where the server that was chosen fails, the statement is
    repeated, on the primary if a replica failed: a read may be. While servers change their roles, it may be
    twice: the next one may be on its way too.
    """

    def __init__(self, nodes: Nodes, constraint_errors: ConstraintErrors, *, may_lag: bool) -> None:
        self._nodes = nodes
        self._constraint_errors = constraint_errors
        self._may_lag = may_lag
        self._lent: tuple[ConnectionPool, Lent] | None = None
        self._is_clean = True
        self._node: Node | None = None
        self._connection: Any = None
        self._wanted: Position | None = None
        self._horizon = 0
        self._as_primary = False
        self._began = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def rows(self, statement: Statement, **values: object) -> Sequence[asyncpg.Record]:
        """Every row of the result."""
        rows: Sequence[asyncpg.Record] = await self._run("fetch", statement, values)
        return rows

    async def row(self, statement: Statement, **values: object) -> asyncpg.Record | None:
        """The first row of the result, or None."""
        return await self._run("fetchrow", statement, values)

    async def value(self, statement: Statement, **values: object) -> Any:
        """The first column of the first row, or None."""
        row = await self._run("fetchrow", statement, values)
        return None if row is None else row[0]

    async def close(self) -> None:
        """Give the connection back."""
        lent, self._lent, self._connection = self._lent, None, None
        if lent is not None:
            pool, connection = lent
            await pool.take_back(connection, is_clean=self._is_clean)

    async def _run(self, method: str, statement: Statement, values: Mapping[str, object]) -> Any:
        arguments = statement.arguments(values)
        for _ in range(_MOST_TRIES - 1):
            try:
                return await self._run_once(method, statement, arguments)
            except TimeoutError as trouble:
                if self._as_primary:
                    # The time was spent: repeating it would spend it again. (It is an OSError as well.)
                    raise told_or_raised(trouble, self._constraint_errors) from trouble
                # The replica would have ended the statement itself, before that: it hangs.
                await self._leave_node(trouble)
            except (*CONNECTION_TROUBLE, *REPLICA_TROUBLE, _FellBehind, Unavailable) as trouble:
                cause = trouble.__cause__ if isinstance(trouble, Unavailable) else trouble
                is_final = (self._as_primary or self._node is None) and not tells_of_lost_primary(cause)
                if isinstance(trouble, Unavailable) and is_final:
                    raise
                await self._leave_node(cause)
            except asyncpg.PostgresError as refused:
                raise told_or_raised(refused, self._constraint_errors) from refused
        try:
            return await self._run_once(method, statement, arguments)
        except _FellBehind as trouble:
            raise Unavailable from trouble
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE) as trouble:
            raise told_or_raised(trouble, self._constraint_errors) from trouble

    async def _run_once(self, method: str, statement: Statement, arguments: list[object]) -> Any:
        connection = self._connection or await self._connect()
        request = consistency.get()
        is_placed = request is not None and statement.placed_sql is not None
        sql = statement.placed_sql if is_placed and statement.placed_sql else statement.sql
        self._is_clean = False
        answer = await getattr(connection, method)(sql, *arguments)
        self._is_clean = True
        if self._as_primary and self._node is not self._nodes.primary:
            raise OldPrimary
        if request is None or self._node is None:
            return answer
        if not is_placed:
            # Nobody can say what it saw: no answer that it is part of may be kept.
            request.note_snapshot(0, next_xid=None)
            return answer
        first = answer[0] if method == "fetch" else answer
        position = self._node.place(first[PLACE], connection)
        wanted = request.needed or self._wanted
        if not self._as_primary and wanted and not (position and position.covers(wanted)):
            # A replica that crashed may come back further behind than it was when it was chosen.
            raise _FellBehind
        if not self._as_primary and first[XMIN] < self._horizon:
            raise _FellBehind
        if self._nodes.replicas:
            request.note(position or NOWHERE)
        request.note_snapshot(first[XMIN], next_xid=first[NEXT_XID])
        if first[FOUND]:
            return answer
        return [] if method == "fetch" else None

    async def _connect(self) -> Any:
        if self._node is None:
            self._node = await self._choose()
        self._began, self._as_primary = time.monotonic(), self._node is self._nodes.primary
        pool = self._node.pool
        lent = await pool.lend()
        self._lent, self._connection, self._is_clean = (pool, lent), lent.connection, True
        if self._as_primary:
            self._nodes.refuse_old_primary(self._node, self._connection)
        _counter("primary" if self._as_primary else pool.process).inc()
        return self._connection

    async def _choose(self) -> Node:
        request = consistency.get()
        if not self._may_lag or (request is not None and request.only_primary):
            return await self._nodes.find_primary()
        if request is not None and request.is_best_on_primary and self._nodes.primary.answers:
            with suppress(Unavailable):
                return await self._nodes.find_primary()
        needed, keeping = (request.needed, request.keeping) if request else (None, None)
        self._wanted, self._horizon = self._bounds(request)
        try:
            return await self._nodes.choose(self._wanted, horizon=self._horizon, keeping=keeping)
        except Unavailable:
            before = self._horizon
            self._wanted, self._horizon = self._bounds(request)
            if needed is not None and self._horizon == before:
                raise
            # The primary is gone, and with it perhaps the last that was known of it: what is left will do.
            return await self._nodes.choose(self._wanted, horizon=self._horizon, keeping=keeping)

    def _bounds(self, request: Consistency | None) -> tuple[Position | None, int]:
        """The place that a server must have reached, and the horizon that it must have seen."""
        if request is None:
            return self._nodes.known(), 0
        has_primary = self._nodes.primary.answers
        horizon = request.horizon if has_primary else request.horizon_without_primary
        return request.needed or self._nodes.known(), horizon

    async def _leave_node(self, trouble: BaseException | None) -> None:
        node, self._node = self._node, None
        if isinstance(trouble, TimeoutError) and self._connection is not None:
            # To take it back as it is would be to wait until the server has said that the statement is ended.
            self._connection.terminate()
        await self.close()
        if node is not None and self._as_primary:
            self._nodes.doubt(node, trouble, began=self._began)
        elif node is not None:
            node.distrust()
        self._node = await (self._choose() if self._as_primary else self._nodes.find_primary())


@lru_cache
def _counter(server: str) -> Any:
    return READS.labels(server)


class _FellBehind(Exception):
    """A replica answered from an older state than it had."""
