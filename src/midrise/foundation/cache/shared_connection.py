"""One connection that all requests of a process share: what they ask in one turn of the event loop is written
at once, and answers are given out in the order they come.

redis-py opens the connection (TLS, authentication, sentinels, database). Taking one of its pool for every call
costs ten times what a call costs here: docs/decisions/0005-redis-py.md has the figures.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from midrise.foundation.cache.calls import DISCARDED, Argument, Call, Waiter, pack

MOST_WAITING = 20_000
"""Calls that may be under way: more would only be answered too late."""

_CLOSED = "The connection to the cache was closed a moment ago"
"""What uvloop has a RuntimeError for: its transport is closed before whoever reads of it can know."""

_TURNS_OF_GRACE = 8
"""An answer that has arrived is read and given out within fewer."""


class RedisConnection(Protocol):
    """What is used of redis-py's connections."""

    async def connect(self) -> None: ...

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None: ...  # noqa: FBT001, FBT002

    async def read_response(self, *, timeout: float | None = None) -> Any: ...  # noqa: ASYNC109  its own name

    async def disconnect(self, nowait: bool = False) -> None: ...  # noqa: FBT001, FBT002


@dataclass(slots=True, eq=False)
class _Line:
    """One connection while it lasts."""

    connection: RedisConnection
    loop: asyncio.AbstractEventLoop
    """The one it was opened on. To ask for the running one is a system call, before Python 3.12."""
    waiting: "deque[Call]" = field(default_factory=deque)
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)


class SharedConnection:
    """Calls on one connection, opened when first needed, and again after it broke.

    A call that met the end of its connection is sent once more: whatever is sent must bear being done twice.
    """

    def __init__(self, make_connection: Callable[[], RedisConnection], *, budget_seconds: float) -> None:
        self._make_connection = make_connection
        self._budget_seconds = budget_seconds
        self._line: _Line | None = None
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
        line = self._line
        self._fail(RedisConnectionError("The connection to the cache was closed"), repeat=False)
        if line is not None:
            await asyncio.gather(*line.tasks, return_exceptions=True)
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
        writer = getattr(line.connection, "_writer", None)
        if writer is not None and not writer.transport.get_write_buffer_size():
            # What redis-py would do as well, without a task for each turn of the loop.
            try:
                writer.write(packed)
            except RuntimeError:
                self._break(line, RedisConnectionError(_CLOSED))
        else:
            self._run(line, self._write(line, packed))

    def _run(self, line: _Line, work: Any) -> None:
        task = line.loop.create_task(work)
        line.tasks.add(task)
        task.add_done_callback(line.tasks.discard)

    async def _open(self) -> None:
        connection = self._make_connection()
        try:
            await connection.connect()
            await connection.send_packed_command(pack("INFO", "server", "replication"), check_health=False)
            described = await connection.read_response(timeout=math.inf)
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
        self._line, self.server_id = _Line(connection, asyncio.get_running_loop()), _server_id(described)
        line = self._line
        self._run(line, self._read(line))
        self._flush()

    async def _write(self, line: _Line, packed: bytes) -> None:
        try:
            await line.connection.send_packed_command(packed, check_health=False)
        except (RedisError, OSError) as error:
            self._break(line, error)
        except RuntimeError:
            self._break(line, RedisConnectionError(_CLOSED))

    async def _read(self, line: _Line) -> None:
        try:
            while True:
                try:
                    answer = await line.connection.read_response(timeout=math.inf)
                except ResponseError as refused:
                    _next(line).set_exception(refused)
                else:
                    _next(line).set_result(answer)
        except (RedisError, OSError) as error:
            self._break(line, error)

    def _break(self, line: _Line, error: Exception) -> None:
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
            # The reader may be who found out: it ends by itself. Or it has not begun, and could close nothing.
            for task in line.tasks - {_current_task()}:
                task.cancel()
            self._run(line, _hang_up(line.connection))
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


def _current_task() -> "asyncio.Task[Any] | None":
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def _next(line: _Line) -> Waiter:
    if not line.waiting:
        raise RedisConnectionError("The cache answers what nobody asked")
    call = line.waiting.popleft()
    return DISCARDED if call.waiter.done() else call.waiter


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
