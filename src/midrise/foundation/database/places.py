"""The connections that one pool of asyncpg's may have open: which are at hand, and who waits for one.

asyncpg's pool opens and ends connections, and cleans up after work that was broken off. It also starts a task
for each that comes back and a time-out for each that is asked for, which costs more than a short statement.
So one that comes back clean goes straight to who waits longest, or is kept at hand for who asks next.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import asyncpg

from midrise.foundation.database.errors import CONNECTION_TROUBLE

_AT_HAND_SECONDS = 5.0
"""How long connections stay at hand, before asyncpg gets them back to close those that are not needed."""
_RELEASE_TIMEOUT_SECONDS = 5


class ThrownAway(Exception):
    """The places were given up while somebody stood in their line: there are others."""


class WasCut(ConnectionError):
    """The server is given up, and with it whoever waited for a connection to it."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A connection, the place that it has, and how asyncpg's pool knows it."""

    connection: Any
    places: "Places"
    proxy: Any


class Places:
    """A place is the right to have a connection. Each is free, or of one at hand, or of one that is lent out.

    Where one is free or at hand, nobody waits.
    """

    def __init__(
        self, pool: Any, *, number: int, do_aside: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self.pool = pool
        self._free = number
        self._at_hand: list[Lent] = []
        self._line: deque[asyncio.Future[Lent | None]] = deque()
        self._do_aside = do_aside
        self._opening: set[asyncio.Timeout] = set()
        self._tidying: asyncio.TimerHandle | None = None
        self._are_thrown_away = False

    def find_at_hand(self) -> Lent | None:
        """The connection that came back last, or None. What broke meanwhile asyncpg has taken back itself."""
        while self._at_hand:
            lent = self._at_hand.pop()
            if _is_idle(lent.connection):
                return lent
            self._free += 1
        return None

    async def wait(self, *, timeout_seconds: float) -> Lent:
        """A connection, in the order in which callers came.

        Raises `TimeoutError` where none is free in time, `ThrownAway`, `WasCut`, and what asyncpg raises when
        it can't open one.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        if self._free:
            self._free -= 1
        elif (lent := await self._stand_in_line(loop, deadline)) is not None:
            return lent
        until_cut = asyncio.timeout(None)
        self._opening.add(until_cut)
        try:
            async with until_cut:
                proxy = await self.pool.acquire(timeout=max(deadline - loop.time(), 0.001))
        except BaseException:
            self._give(None)
            raise
        finally:
            self._opening.discard(until_cut)
        return Lent(proxy.itself, self, proxy)

    def find_room_for(self, lent: Lent) -> bool:
        """Take it back at once, if nothing was broken off on it: neither a statement nor a transaction.

        False where it can't be lent again as it is: that is for `take_back`.
        """
        if self._are_thrown_away or not _is_idle(lent.connection):
            return False
        self._give(lent)
        return True

    async def take_back(self, lent: Lent) -> None:
        """Have asyncpg clean it up, or end it."""
        try:
            await self._release(lent)
        finally:
            self._give(None)

    def throw_away(self) -> None:
        """Lend none of them again; who stands in line is told."""
        self._end_line(ThrownAway)

    def cut(self) -> None:
        """Break every connection, those that are lent out or being opened too; who stands in line is told."""
        self._end_line(WasCut)
        for until_cut in self._opening:
            until_cut.reschedule(0)
        self.pool.terminate()

    def _end_line(self, why: type[Exception]) -> None:
        self._are_thrown_away = True
        if self._tidying is not None:
            self._tidying.cancel()
        self._give_back_at_hand()
        for waiting in self._line:
            if not waiting.done():
                waiting.set_exception(why)
        self._line.clear()

    async def _stand_in_line(self, loop: asyncio.AbstractEventLoop, deadline: float) -> Lent | None:
        """A connection, or None for a free place."""
        waiting: asyncio.Future[Lent | None] = loop.create_future()
        self._line.append(waiting)
        alarm = loop.call_at(deadline, _give_up, waiting)
        try:
            return await waiting
        except BaseException:
            with contextlib.suppress(ValueError):
                self._line.remove(waiting)
            if waiting.done() and not waiting.cancelled() and waiting.exception() is None:
                # It was given to a caller who had just gone away.
                self._give(waiting.result())
            raise
        finally:
            alarm.cancel()

    def _give(self, lent: Lent | None) -> None:
        """A connection, or None for the place of one, to who waits longest, or to nobody."""
        while self._line:
            waiting = self._line.popleft()
            if not waiting.done():
                waiting.set_result(lent)
                return
        if lent is None:
            self._free += 1
            return
        self._at_hand.append(lent)
        if self._are_thrown_away:
            self._give_back_at_hand()
        elif self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(_AT_HAND_SECONDS, self._tidy)

    def _tidy(self) -> None:
        self._tidying = None
        self._give_back_at_hand()

    def _give_back_at_hand(self) -> None:
        for lent in self._at_hand:
            self._do_aside(self._release(lent))
        self._free += len(self._at_hand)
        self._at_hand.clear()

    async def _release(self, lent: Lent) -> None:
        # A connection that is broken asyncpg throws away, and the next caller gets a new one.
        with contextlib.suppress(*CONNECTION_TROUBLE, asyncpg.PostgresError):
            await self.pool.release(lent.proxy, timeout=_RELEASE_TIMEOUT_SECONDS)


def _is_idle(connection: Any) -> bool:
    """Whether the connection is there, and in no transaction. One that is gone asyncpg has taken back."""
    return not connection.is_closed() and not connection.is_in_transaction()


def _give_up(waiting: "asyncio.Future[Any]") -> None:
    if not waiting.done():
        waiting.set_exception(TimeoutError())
