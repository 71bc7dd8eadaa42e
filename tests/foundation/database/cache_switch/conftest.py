"""Processes that watch the row, each with a view of the cache that the test holds."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest
from tests.servers import make_database

from midrise.foundation.database import PoolSettings
from midrise.foundation.database.cache_switch import CacheServer, CacheSwitch
from midrise.foundation.database.nodes import Nodes

_AS_MIGRATED = "UPDATE cache_state SET epoch = '0', server = '', off_until = now()"


@dataclass
class HeldServer:
    """A cache as a process sees it: which one it is connected to, and whether it answers."""

    server_id: str | None = field(default_factory=lambda: secrets.token_hex(8))
    answers: bool = True
    checked: int = 0

    async def check(self) -> bool:
        self.checked += 1
        return self.answers


@pytest.fixture(scope="session")
def switch_url(sockets: Path, worker_number: int) -> str:
    return make_database(sockets, f"midrise_switch_{worker_number}")


@pytest.fixture
async def row(switch_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own; the row is as the migration left it."""
    connection = await asyncpg.connect(switch_url)
    await connection.execute(_AS_MIGRATED)
    yield connection
    await connection.close()


@pytest.fixture
def server() -> HeldServer:
    return HeldServer()


@pytest.fixture
async def process(
    switch_url: str, row: asyncpg.Connection
) -> AsyncIterator[Callable[[CacheServer | None], CacheSwitch]]:
    """Makes the switch of a process; it watches once it is started."""
    async with AsyncExitStack() as stack:

        def make(server: CacheServer | None, *, url: str = switch_url) -> CacheSwitch:
            settings = PoolSettings(url, "midrise switch", lock_timeout_seconds=0.3)
            nodes = Nodes.of(settings, reading=settings)
            switch = CacheSwitch(nodes, server)
            stack.push_async_callback(nodes.close)
            stack.push_async_callback(switch.close)
            return switch

        yield make
