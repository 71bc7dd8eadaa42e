"""Pools of connections that say who they are, are bounded in number and in waiting, and never wait for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from midrise.foundation.database.errors import CONNECTION_TROUBLE
from midrise.foundation.errors import Unavailable


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
        self._pool: asyncpg.Pool | None = None
        self._opening = asyncio.Lock()
        self._waiting = 0

    @property
    def process(self) -> str:
        """The name that its connections have in PostgreSQL."""
        return self._settings.process

    @property
    def in_use(self) -> int:
        """Connections that are lent out now."""
        return self._pool.get_size() - self._pool.get_idle_size() if self._pool else 0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend a connection. Raises `Unavailable` where none is free in time or the server is away."""
        acquired = await self._acquire()
        try:
            yield acquired
        finally:
            await self._release(acquired)

    async def close(self) -> None:
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            await asyncio.wait_for(pool.close(), timeout=5)
        except TimeoutError:
            pool.terminate()

    async def _acquire(self) -> Any:
        if self._waiting >= self._settings.most_waiting:
            raise Unavailable
        self._waiting += 1
        try:
            pool = self._pool or await self._open()
            return await pool.acquire(timeout=self._settings.acquire_timeout_seconds)
        except (*CONNECTION_TROUBLE, asyncpg.PostgresError) as trouble:
            raise Unavailable from trouble
        finally:
            self._waiting -= 1

    async def _release(self, acquired: Any) -> None:
        pool = self._pool
        if pool is None:
            return
        try:
            await pool.release(acquired, timeout=5)
        except (*CONNECTION_TROUBLE, asyncpg.PostgresError):
            # The connection is broken: asyncpg has thrown it away, and the next caller gets a new one.
            return

    async def _open(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    dsn=self._settings.url,
                    min_size=0,
                    max_size=self._settings.largest_size,
                    timeout=self._settings.connect_timeout_seconds,
                    command_timeout=self._settings.statement_timeout_seconds + 5,
                    init=_teach_types,
                    server_settings=_server_settings(self._settings),
                )
            return self._pool


async def connect(settings: PoolSettings) -> Any:
    """A connection of one's own, outside any pool; whoever asks for it closes it."""
    return await asyncpg.connect(
        dsn=settings.url,
        timeout=settings.connect_timeout_seconds,
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
