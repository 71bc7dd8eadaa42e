"""The database as services see it: `read()` and `write()`."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Self, TypeVar

import structlog
from sqlalchemy import literal, select

from midrise.foundation.database.cache_switch import CacheSwitch, Marking
from midrise.foundation.database.errors import (
    REPEATABLE_TROUBLE,
    ConstraintErrors,
    OutcomeUnknown,
    tells_of_lost_primary,
)
from midrise.foundation.database.idempotency import Attempt, AttemptRecords, Kept
from midrise.foundation.database.nodes import Nodes
from midrise.foundation.database.pool import PoolSettings
from midrise.foundation.database.positions import consistency
from midrise.foundation.database.statements import Statement
from midrise.foundation.database.units import ReadUnit
from midrise.foundation.database.write_units import WriteUnit
from midrise.foundation.database.writing import SingleWriting, Writing
from midrise.foundation.errors import AppError, Unavailable

Result = TypeVar("Result")

_MOST_TRIES = 3

_PROBE = Statement(select(literal(1)))
_PURGED_AT_ONCE = 5000

log = structlog.get_logger()


class Database:
    """Opens units of work on the pools that it was given."""

    def __init__(
        self,
        *,
        nodes: Nodes,
        constraint_errors: ConstraintErrors,
        marking: Marking | None = None,
        attempts: AttemptRecords | None = None,
    ) -> None:
        self._attempts = attempts
        self._marking = marking
        self.nodes = nodes
        self._constraint_errors = constraint_errors

    @classmethod
    def on_one_server(
        cls, settings: PoolSettings, *, constraint_errors: ConstraintErrors | None = None
    ) -> Self:
        """A database without replicas, for commands; of several hosts that its URL names, the primary."""
        nodes = Nodes.of(settings, reading=settings)
        return cls(
            nodes=nodes,
            constraint_errors=constraint_errors or {},
            marking=Marking(CacheSwitch(nodes, None), None),
        )

    def read(self, *, may_lag: bool = False) -> AbstractAsyncContextManager[ReadUnit]:
        """A unit that reads. ``may_lag`` says that a replica may answer.

        Whoever has written reads what it wrote all the same, and whoever sends its `Consistency-Token` never
        sees an older state than before. Raises `Unavailable` where the database is away or too busy.
        """
        return ReadUnit(self.nodes, self._constraint_errors, may_lag=may_lag)

    def write(self) -> AbstractAsyncContextManager[WriteUnit]:
        """A unit that writes, in one transaction: committed if it ends well, rolled back by any error.

        Raises `Unavailable` where the database is away or a lock is held too long, and `OutcomeUnknown` where
        the connection broke during the commit.
        """
        return Writing(self.nodes, self._constraint_errors, marking=self._marking)

    def write_single(self, *, is_private: bool = False) -> AbstractAsyncContextManager[WriteUnit]:
        """A unit that writes with a single statement, its `conclude`, which commits by itself: one round trip
        instead of three. It has no other statement, and makes nothing old that is cached.

        ``is_private`` says that what it writes is always read from the primary: so nobody has to learn where
        the change stands. Raises what `write` raises.
        """
        request = consistency.get()
        if not is_private and request is not None and request.writer is not None and self.nodes.replicas:
            # What this caller writes has to be marked before the commit.
            return self.write()
        return SingleWriting(self.nodes, self._constraint_errors, is_private=is_private)

    async def write_once(
        self, attempt: Attempt | None, kind: type[Result], work: Callable[[WriteUnit], Awaitable[Result]]
    ) -> Result:
        """Do work in a unit that writes, and give its result; for an attempt that was made before, the result
        of that, and nothing is changed. An attempt of the gateway's waits for one that is under way.

        Only a result that was committed is kept. ``kind`` is its type, to read it again. Work that the database
        rolled back for the sake of another (a deadlock, a serialization failure), or whose server went away
        before it was told to commit, is done again, so it must do nothing but statements. Raises what `write`
        and the work raise, `IdempotencyInProgress` and `IdempotencyKeyReused`.
        """
        try:
            return await self._write_patiently(attempt, kind, work)
        except Unavailable:
            raise
        except AppError:
            kept = await self._find_twin(attempt, kind)
            if kept is None:
                raise
            return kept.result

    async def was_done(self, attempt: Attempt | None, kind: type[Result]) -> bool:
        """Whether the attempt was made before and came to a result; for work that begins before `write_once`,
        with what an earlier attempt would have changed. Raises what `write_once` does of itself."""
        if attempt is None or self._attempts is None:
            return False
        async with self.write() as tx:
            return await self._attempts.claim(tx, attempt, kind) is not None

    async def purge_attempts(self) -> None:
        """Forget results that need not be given again; in small transactions."""
        purged = _PURGED_AT_ONCE
        while self._attempts is not None and purged == _PURGED_AT_ONCE:
            async with self.write() as tx:
                purged = await self._attempts.purge(tx, limit=_PURGED_AT_ONCE)

    async def check(self) -> None:
        """Raises `Unavailable` where the primary does not answer."""
        async with self.read() as unit:
            await unit.value(_PROBE)

    async def close(self) -> None:
        if self._marking is not None:
            await self._marking.close()
        await self.nodes.close()

    async def _write_patiently(
        self, attempt: Attempt | None, kind: type[Result], work: Callable[[WriteUnit], Awaitable[Result]]
    ) -> Result:
        for _ in range(_MOST_TRIES - 1):
            try:
                return await self._write_once(attempt, kind, work)
            except Unavailable as told:
                if not _was_rolled_back(told):
                    raise
        return await self._write_once(attempt, kind, work)

    async def _find_twin(self, attempt: Attempt | None, kind: type[Result]) -> Kept[Result] | None:
        """What the twin came to whose change may be what the work was refused for.

        A claim looks for records as they were before it had the lock. So the twin may have ended in between,
        and the work then met what the twin had made: a product of the same SKU, say.
        """
        if attempt is None or attempt.of_gateway or self._attempts is None:
            return None
        async with self.read() as unit:
            return await self._attempts.find(unit, attempt, kind)

    async def _write_once(
        self, attempt: Attempt | None, kind: type[Result], work: Callable[[WriteUnit], Awaitable[Result]]
    ) -> Result:
        async with self.write() as tx:
            if attempt is None or self._attempts is None:
                return await work(tx)
            kept = await self._attempts.claim(tx, attempt, kind)
            if kept is not None:
                return kept.result
            result = await work(tx)
            await self._attempts.keep(tx, attempt, result)
        return result


def _was_rolled_back(told: Unavailable) -> bool:
    """Whether nothing of the work can be there, though it may succeed when it is done again."""
    if isinstance(told, OutcomeUnknown):
        return False
    return isinstance(told.__cause__, REPEATABLE_TROUBLE) or tells_of_lost_primary(told.__cause__)
