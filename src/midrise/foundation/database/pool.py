"""Pools of connections that say who they are, are bounded in number and in waiting, and never wait for ever."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from midrise.foundation.database.connection import Connection
from midrise.foundation.database.errors import CONNECTION_TROUBLE
from midrise.foundation.database.places import Lent, Places, ThrownAway
from midrise.foundation.errors import Unavailable

_CLOSE_TIMEOUT_SECONDS = 5
_GRACE_SECONDS = 5
"""How much longer than the server lets a statement run its answer is waited for."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many connections, how long a caller waits for one, and how long a statement may take."""

    url: str
    process: str
    largest_size: int = 10
    most_waiting: int = 200
    acquire_timeout_seconds: float = 5.0
    connect_timeout_seconds: float = 5.0
    statement_timeout_seconds: float = 15.0
    lock_timeout_seconds: float = 5.0
    read_only: bool = False

    def __repr__(self) -> str:
        return f"<PoolSettings {self.process} read_only={self.read_only}>"


class ConnectionPool:
    """Connections to one PostgreSQL server; opened when first needed, so that a server can start without it."""

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._places: Places | None = None
        self._opening = asyncio.Lock()
        self._waiting = 0
        self._lent = 0
        self._ending: set[Places] = set()
        self._aside: set[asyncio.Task[None]] = set()

    @property
    def process(self) -> str:
        """The name that its connections have in PostgreSQL."""
        return self._settings.process

    @property
    def in_use(self) -> int:
        """Connections that are lent out now."""
        return self._lent

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection. Raises `Unavailable` where none is free in time or the server is away."""
        lent, is_clean = await self.lend(), False
        try:
            yield lent.connection
            is_clean = True
        finally:
            await self.take_back(lent, is_clean=is_clean)

    async def lend(self) -> Lent:
        """A connection, which whoever asks for it gives to `take_back`. Raises as `connection` does."""
        places = self._places
        lent = places.find_at_hand() if places is not None else None
        if lent is None:
            lent = await self._wait()
        self._lent += 1
        return lent

    async def take_back(self, lent: Lent, *, is_clean: bool) -> None:
        """``is_clean`` where nothing was broken off on it: neither a statement nor a transaction."""
        try:
            if not is_clean or not lent.places.find_room_for(lent):
                await lent.places.take_back(lent)
        finally:
            self._lent -= 1

    def throw_away(self) -> None:
        """Lend none of the present connections again; those that are lent out end with their work."""
        places, self._places = self._places, None
        if places is not None:
            places.throw_away()
            self._ending.add(places)
            self._do_aside(self._end(places))

    def cut(self) -> None:
        """Break every present connection, under whatever work, also those that were thrown away before."""
        self.throw_away()
        ending, self._ending = self._ending, set()
        for places in ending:
            places.cut()
        for task in self._aside:
            task.cancel()

    async def close(self) -> None:
        self.throw_away()
        if self._aside:
            await asyncio.wait(self._aside, timeout=_CLOSE_TIMEOUT_SECONDS)
        self.cut()

    def _do_aside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    async def _end(self, places: Places) -> None:
        """Close a pool when its work is done; break that off when it takes too long."""
        longest_seconds = self._settings.statement_timeout_seconds + _GRACE_SECONDS
        with contextlib.suppress(TimeoutError, *CONNECTION_TROUBLE):
            # The pool breaks off by itself when its closing is cancelled.
            await asyncio.wait_for(places.pool.close(), timeout=longest_seconds)
        self._ending.discard(places)

    async def _wait(self) -> Lent:
        if self._waiting >= self._settings.most_waiting:
            raise Unavailable
        self._waiting += 1
        try:
            while True:
                places = self._places or await self._open()
                with contextlib.suppress(ThrownAway):
                    lent = await places.wait(timeout_seconds=self._settings.acquire_timeout_seconds)
                    if places is self._places:
                        return lent
                    # Thrown away while it was opened.
                    lent.connection.terminate()
                    await places.take_back(lent)
        except (*CONNECTION_TROUBLE, asyncpg.PostgresError) as trouble:
            raise Unavailable from trouble
        finally:
            self._waiting -= 1

    async def _open(self) -> Places:
        async with self._opening:
            if self._places is None:
                pool = await asyncpg.create_pool(
                    dsn=self._settings.url,
                    min_size=0,
                    max_size=self._settings.largest_size,
                    timeout=self._settings.connect_timeout_seconds,
                    command_timeout=self._settings.statement_timeout_seconds + _GRACE_SECONDS,
                    connection_class=Connection,
                    init=_teach_types,
                    reset=_leave_as_it_is,
                    server_settings=_server_settings(self._settings),
                )
                self._places = Places(pool, number=self._settings.largest_size, do_aside=self._do_aside)
            return self._places


async def connect(settings: PoolSettings) -> Any:
    """A connection of one's own, outside any pool; whoever asks for it closes it."""
    return await asyncpg.connect(
        dsn=settings.url,
        timeout=settings.connect_timeout_seconds,
        connection_class=Connection,
        server_settings=_server_settings(settings),
    )


def _server_settings(settings: PoolSettings) -> dict[str, str]:
    return {
        "application_name": settings.process,
        "statement_timeout": _milliseconds(settings.statement_timeout_seconds),
        "lock_timeout": _milliseconds(settings.lock_timeout_seconds),
        "idle_in_transaction_session_timeout": _milliseconds(settings.statement_timeout_seconds),
        "default_transaction_read_only": "on" if settings.read_only else "off",
        "timezone": "UTC",
        "jit": "off",
    }


async def _leave_as_it_is(connection: Any) -> None:
    """Instead of a round trip that resets everything: units of work end their transaction, and change nothing
    of a connection beyond it. asyncpg itself rolls back what was left open."""
    del connection


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


async def _teach_types(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda value: msgspec.json.decode(value[1:]),
    )
