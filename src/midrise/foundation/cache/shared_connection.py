"""One connection that all requests of a process share: what they ask in one turn of the event loop is written
at once, and answers are given out in the order they come.

redis-py opens the connection (TLS, authentication, sentinels, database), and its parser reads the answers. In
between it is left out: a task that is woken for them, and three coroutines for each, cost as much as the
rest of a call. Taking one of its pool for every call costs ten times as much: docs/decisions/0005-redis-py.md
has the figures.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from midrise.foundation.cache.calls import Argument, Call, Waiter, pack

MOST_WAITING = 20_000
"""Calls that may be under way: more would only be answered too late."""

_CLOSED = "The connection to the cache was closed"
_UNASKED = "The cache answers what nobody asked"

_TURNS_OF_GRACE = 8
"""An answer that has arrived is read and given out within fewer."""


class RedisConnection(Protocol):
    """What is used of redis-py's connections."""

    async def connect(self) -> None: ...

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None: ...  # noqa: FBT001, FBT002

    async def read_response(self, *, timeout: float | None = None) -> Any: ...  # noqa: ASYNC109  its own name

    async def disconnect(self, nowait: bool = False) -> None: ...  # noqa: FBT001, FBT002


class SharedConnection:
    """Calls on one connection, opened when first needed, and again after it broke.

    A call that met the end of its connection is sent once more: whatever is sent must bear being done twice.
    """

    def __init__(self, make_connection: Callable[[], RedisConnection], *, budget_seconds: float) -> None:
        self._make_connection = make_connection
        self._budget_seconds = budget_seconds
        self._line: _Line | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._opening: asyncio.Task[None] | None = None
        self._unsent: deque[Call] = deque()
        self._is_flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self.server_id: str | None = None
        """What the server at the other end goes by: another name after a restart, and after each promotion.

        None while there is no connection, and where the server does not tell (some proxies keep it back).
        """

    def call(self, *command: Argument) -> "asyncio.Future[Any]":
        """The answer to come. It raises redis-py's errors, `OSError`, and `TimeoutError` after the budget."""
        answer: asyncio.Future[Any] = self._find_loop().create_future()
        self.ask(pack(*command), answer)
        return answer

    def ask(self, packed: bytes, waiter: Waiter) -> None:
        """Have somebody told the answer to what `pack` has made; or at once, that too many wait."""
        if self._count_waiting() >= MOST_WAITING:
            waiter.set_exception(RedisConnectionError("Too many calls wait for the cache"))
            return
        loop = self._find_loop()
        self._unsent.append(Call(packed, loop.time() + self._budget_seconds, waiter))
        self._send_soon(loop)

    async def close(self) -> None:
        """Close the connection; calls under way fail."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
        self._fail(RedisConnectionError(_CLOSED), repeat=False)
        await asyncio.gather(*self._closing, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _find_loop(self) -> asyncio.AbstractEventLoop:
        return self._line.loop if self._line is not None else asyncio.get_running_loop()

    def _count_waiting(self) -> int:
        return len(self._unsent) + (len(self._line.waiting) if self._line else 0)

    def _send_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is None:
            self._timer = loop.call_later(self._budget_seconds, self._look_for_late)
        if self._line is None:
            if self._opening is None:
                self._opening = loop.create_task(self._open())
        elif not self._is_flushing:
            self._is_flushing = True
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flushing = False
        line = self._line
        if line is None or not self._unsent:
            return
        packed = b"".join([call.packed for call in self._unsent])
        line.waiting.extend(self._unsent)
        self._unsent.clear()
        try:
            line.transport.write(packed)
        except RuntimeError:
            # uvloop's word for a connection that was closed before whoever reads of it was told.
            self._break(line, RedisConnectionError(_CLOSED))

    async def _open(self) -> None:
        connection = self._make_connection()
        try:
            await connection.connect()
            await connection.send_packed_command(pack("INFO", "server", "replication"), check_health=False)
            described = await connection.read_response(timeout=math.inf)
            line = _Line(connection, self._break)
        except (RedisError, OSError) as error:
            self._opening = None
            await _hang_up(connection)
            self._fail(error, repeat=False)
            return
        except asyncio.CancelledError:
            # Given up, half open as it is: nobody else would close it.
            await _hang_up(connection)
            raise
        self._opening = None
        self._line, self.server_id = line, _server_id(described)
        self._flush()

    def _break(self, line: "_Line", error: Exception) -> None:
        if self._line is line:
            self._fail(error, repeat=isinstance(error, RedisConnectionError | ConnectionError))

    def _fail(self, error: Exception, *, repeat: bool) -> None:
        """The connection is of no use any more; nobody waits longer for it."""
        line, self._line, self.server_id = self._line, None, None
        calls = [*(line.waiting if line else ()), *self._unsent]
        self._unsent.clear()
        for call in calls:
            if repeat and not call.is_repeated:
                call.is_repeated = True
                self._unsent.append(call)
            elif not call.waiter.done():
                call.waiter.set_exception(error)
        if line is not None:
            line.is_over = True
            closing = line.loop.create_task(_hang_up(line.connection))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
        if self._unsent:
            self._send_soon(asyncio.get_running_loop())

    def _look_for_late(self) -> None:
        """One timer for all: the oldest call tells whether the server keeps up."""
        self._timer = None
        loop, oldest = asyncio.get_running_loop(), self._find_oldest()
        if oldest is None:
            return
        if oldest.deadline > loop.time():
            self._timer = loop.call_at(oldest.deadline, self._look_for_late)
        else:
            self._give_turns(oldest, _TURNS_OF_GRACE)

    def _give_turns(self, oldest: Call, turns: int) -> None:
        """Give up if the call is still unanswered after some turns of the event loop.

        Under a crowd of requests it may be this process that is late: the answer stands in the socket, and is
        read as soon as the loop comes to it. To take the cache for gone would send the crowd to the database.
        """
        if oldest is not self._find_oldest():
            if self._timer is None:
                # No call that came meanwhile has set one.
                self._look_for_late()
        elif turns:
            asyncio.get_running_loop().call_soon(self._give_turns, oldest, turns - 1)
        else:
            if self._opening is not None:
                self._opening.cancel()
                self._opening = None
            self._fail(TimeoutError("The cache did not answer in time"), repeat=False)

    def _find_oldest(self) -> Call | None:
        waiting = self._line.waiting if self._line and self._line.waiting else self._unsent
        return waiting[0] if waiting else None


class _Line(asyncio.Protocol):
    """One connection while it lasts: reads the answers, and gives them out to those who wait.

    ``end`` is told of what ended it. Raises `RedisConnectionError` where more has been answered than was asked.
    """

    def __init__(self, connection: RedisConnection, end: "Callable[[_Line, Exception], None]") -> None:
        opened: Any = connection
        self.connection = connection
        self.loop = asyncio.get_running_loop()
        """The one it was opened on. To ask for the running one is a system call, before Python 3.12."""
        self.waiting: deque[Call] = deque()
        self.transport: asyncio.Transport = opened._writer.transport  # noqa: SLF001  there is no other way to it
        self.is_over = False
        self._end = end
        reader = opened._parser._reader  # noqa: SLF001  as redis-py has set it up
        self._feed, self._next_answer = reader.feed, reader.gets
        if reader.has_data():
            raise RedisConnectionError(_UNASKED)
        self._nothing = self._next_answer()
        """What it says while there is no whole answer."""
        self.transport.set_protocol(self)
        if self.transport.is_closing():
            self.loop.call_soon(self.connection_lost, None)

    def data_received(self, data: bytes) -> None:
        if self.is_over:
            return
        try:
            self._feed(data)
            while (answer := self._next_answer()) is not self._nothing:
                self._give_out(answer)
        except RedisError as error:
            self._end(self, error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(self, exc or RedisConnectionError(_CLOSED))

    def _give_out(self, answer: Any) -> None:
        if isinstance(answer, RedisConnectionError):
            # Such as that it is still loading: it can't be used.
            raise answer
        if not self.waiting:
            raise RedisConnectionError(_UNASKED)
        waiter = self.waiting.popleft().waiter
        if waiter.done():
            return
        if isinstance(answer, ResponseError):
            waiter.set_exception(answer)
        else:
            waiter.set_result(answer)


def _server_id(described: Any) -> str | None:
    lines = described.decode("ascii", "replace").splitlines() if isinstance(described, bytes) else ()
    told = dict(line.partition(":")[::2] for line in lines)
    # The run id changes with a restart; the id of its history where a server is demoted and promoted again.
    run_id, history_id = told.get("run_id"), told.get("master_replid")
    return f"{run_id}/{history_id}" if run_id and history_id else None


async def _hang_up(connection: RedisConnection) -> None:
    try:
        await connection.disconnect(nowait=True)
    except (RedisError, OSError):
        return
