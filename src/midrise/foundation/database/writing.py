"""How units that write begin and end: their connection, their commit, and where in the log that stands."""

import time
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

import asyncpg
import structlog

from midrise.foundation.database.cache_switch import Marking
from midrise.foundation.database.errors import (
    CONNECTION_TROUBLE,
    ConstraintErrors,
    OutcomeUnknown,
    told_or_raised,
)
from midrise.foundation.database.node import Node
from midrise.foundation.database.nodes import Nodes
from midrise.foundation.database.places import Lent
from midrise.foundation.database.positions import NOWHERE, consistency
from midrise.foundation.database.write_units import AfterCommit, SingleWriteUnit, WriteUnit
from midrise.foundation.errors import Unavailable

log = structlog.get_logger()


class Writing(AbstractAsyncContextManager[WriteUnit]):
    """One transaction on the primary: committed if the block ends well, rolled back by any error.

    What fails as if the server were no primary any more has the primary found anew. It is a class, and begins
    and commits by itself, because generators and asyncpg's own transactions cost more than a round trip.
    """

    _node: Node
    _lent: Lent
    _unit: WriteUnit

    def __init__(self, nodes: Nodes, constraint_errors: ConstraintErrors, *, marking: Marking | None) -> None:
        self._nodes = nodes
        self._constraint_errors = constraint_errors
        self._marking = marking

    async def __aenter__(self) -> WriteUnit:
        self._began = time.monotonic()
        self._node = await self._nodes.find_primary()
        try:
            self._lent = await self._node.write_pool.lend()
            try:
                self._nodes.refuse_old_primary(self._node, self._lent.connection)
                self._unit = await self._begin(self._lent.connection)
            except BaseException:
                await self._node.write_pool.take_back(self._lent, is_clean=False)
                raise
        except Unavailable as told:
            self._doubt(told)
            raise
        return self._unit

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        is_clean = False
        try:
            if error is None:
                await self._complete()
                is_clean = True
            else:
                await self._give_up()
        except BaseException as failed:
            error = failed
            raise
        finally:
            await self._node.write_pool.take_back(self._lent, is_clean=is_clean)
            self._doubt(error)
        if error is None:
            for call in self._unit.after:
                await _run_after_commit(call)

    async def _begin(self, connection: Any) -> WriteUnit:
        try:
            await connection.execute("BEGIN")
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE) as trouble:
            raise told_or_raised(trouble, self._constraint_errors) from trouble
        return WriteUnit(connection, self._constraint_errors)

    async def _complete(self) -> None:
        try:
            await self._unit.insert_waiting()
            await self._mark(self._unit)
        except BaseException:
            await self._give_up()
            raise
        await self._commit()
        await self._note_write()

    async def _give_up(self) -> None:
        if self._lent.connection.is_closed():
            return
        try:
            await self._lent.connection.execute("ROLLBACK")
        except (asyncpg.PostgresError, *CONNECTION_TROUBLE):
            # The server rolls back what a broken connection leaves; the error that brought us here counts more.
            log.warning("database.rollback_failed", exc_info=True)

    async def _mark(self, unit: WriteUnit) -> None:
        """The last thing before the commit: what is cached of the change becomes old."""
        request = consistency.get()
        if request is not None and request.writer is not None and self._nodes.replicas:
            unit.mark(request.writer)
        if unit.marked and self._marking is not None:
            xid = await unit.transaction_id()
            await self._marking.mark(unit.marked, xid=xid)

    async def _commit(self) -> None:
        try:
            await self._lent.connection.execute("COMMIT")
        except CONNECTION_TROUBLE as trouble:
            raise OutcomeUnknown from trouble
        except asyncpg.PostgresError as refused:
            raise told_or_raised(refused, self._constraint_errors) from refused

    async def _note_write(self) -> None:
        """Learn where the change stands in the log, so that nobody who should see it misses it."""
        if not self._nodes.replicas:
            return
        request = consistency.get()
        # Where that is unknown, who wrote it is served by the primary from now on.
        place = await self._node.log_end.find(self._lent.connection)
        if request is not None:
            request.note(place)
        if place is not NOWHERE:
            self._nodes.note_write(place)

    def _doubt(self, error: BaseException | None) -> None:
        if isinstance(error, Unavailable):
            self._nodes.doubt(self._node, error.__cause__, began=self._began)


class SingleWriting(Writing):
    """One statement that commits by itself. If it ``is_private``, nobody reads from a replica what it writes:
    then nobody has to know where it stands either."""

    _unit: SingleWriteUnit

    def __init__(self, nodes: Nodes, constraint_errors: ConstraintErrors, *, is_private: bool) -> None:
        super().__init__(nodes, constraint_errors, marking=None)
        self._is_private = is_private

    async def _begin(self, connection: Any) -> WriteUnit:
        return SingleWriteUnit(connection, self._constraint_errors)

    async def _complete(self) -> None:
        self._unit.require_over()
        if not self._is_private:
            await self._note_write()

    async def _give_up(self) -> None:
        """It has not begun, or has been refused."""


async def _run_after_commit(call: AfterCommit) -> None:
    try:
        await call()
    except Exception:
        # The change stands: what follows it may fail, but may not undo the answer.
        log.exception("database.after_commit_failed")
