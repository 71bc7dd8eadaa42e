"""A database to break things in, with a table whose rules a test can run against."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from tests.servers import make_empty_database

from midrise.foundation.database import ConnectionPool, Database, PoolSettings
from midrise.foundation.errors import Conflict

_TABLES = """
CREATE TABLE things (
    name text CONSTRAINT pk_things PRIMARY KEY,
    amount integer NOT NULL DEFAULT 0 CONSTRAINT ck_things_amount CHECK (amount >= 0),
    shelf text CONSTRAINT uq_things_shelf UNIQUE DEFERRABLE INITIALLY DEFERRED
);
CREATE FUNCTION end_own_backend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_terminate_backend(pg_backend_pid());
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ends_at_commit AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.name = 'ends at commit') EXECUTE FUNCTION end_own_backend();
"""


class NameTaken(Conflict):
    """Another thing has this name."""

    code = "name_taken"


class ShelfTaken(Conflict):
    """Another thing stands there."""

    code = "shelf_taken"


@pytest.fixture(scope="session")
def playground_url(sockets: Path, worker_number: int) -> str:
    return make_empty_database(sockets, f"midrise_playground_{worker_number}")


@pytest.fixture(scope="session")
async def onlooker(playground_url: str, anyio_backend: object) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own, which sees what is there for others."""
    connection = await asyncpg.connect(playground_url)
    await connection.execute(_TABLES)
    yield connection
    await connection.close()


@pytest.fixture
async def emptied(onlooker: asyncpg.Connection) -> None:
    await onlooker.execute("DELETE FROM things")


@pytest.fixture
async def open_pool(playground_url: str, emptied: None) -> AsyncIterator[Callable[..., ConnectionPool]]:
    """Makes pools: ``open_pool(largest_size=2)``."""
    async with AsyncExitStack() as stack:

        def make(url: str = playground_url, **settings: object) -> ConnectionPool:
            pool = ConnectionPool(PoolSettings(url, "midrise playground", **settings))
            stack.push_async_callback(pool.close)
            return pool

        yield make


@pytest.fixture
async def open_database(playground_url: str, emptied: None) -> AsyncIterator[Callable[..., Database]]:
    """Makes databases whose two pools have the same settings."""
    opened: list[Database] = []

    def make(**settings: object) -> Database:
        pools = {"url": playground_url} | settings
        database = Database.on_one_server(
            PoolSettings(**{"process": "midrise playground"} | pools),
            constraint_errors={"pk_things": NameTaken, "uq_things_shelf": ShelfTaken},
        )
        opened.append(database)
        return database

    yield make
    for each in opened:
        await each.close()


@pytest.fixture
def database(open_database: Callable[..., Database]) -> Database:
    return open_database()


@pytest.fixture
def names(onlooker: asyncpg.Connection) -> Callable[[], Awaitable[list[str]]]:
    """The names of the things that are there for others."""

    async def ask() -> list[str]:
        return [row["name"] for row in await onlooker.fetch("SELECT name FROM things ORDER BY name")]

    return ask
