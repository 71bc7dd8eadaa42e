"""A statement that is run again goes a shorter way, and comes to the same as on asyncpg's."""

import asyncpg
import pytest

from midrise.foundation.database.connection import Connection
from midrise.foundation.database.errors import CONNECTION_TROUBLE

pytestmark = pytest.mark.anyio

NAMES = "SELECT name, amount FROM things WHERE amount >= $1 ORDER BY name"


@pytest.fixture
async def connection(open_pool, onlooker):
    await onlooker.execute("INSERT INTO things (name, amount) VALUES ('cup', 1), ('mug', 2)")
    async with open_pool(largest_size=1, statement_timeout_seconds=1).connection() as lent:
        yield lent


async def test_what_is_run_again_answers_the_same(connection):
    for _ in range(3):
        assert [tuple(row) for row in await connection.fetch(NAMES, 1)] == [("cup", 1), ("mug", 2)]
        assert tuple(await connection.fetchrow(NAMES, 1)) == ("cup", 1)
        assert await connection.fetchrow(NAMES, 3) is None
        assert await connection.fetch(NAMES, 3) == []


async def test_what_is_run_again_does_not_go_the_long_way(connection, monkeypatch):
    await connection.fetch(NAMES, 1)
    for method in ("fetch", "fetchrow"):
        monkeypatch.setattr(asyncpg.Connection, method, lambda *_: pytest.fail("that is the long way"))
    assert len(await connection.fetch(NAMES, 1)) == 2
    assert await connection.fetchrow(NAMES, 2) is not None


async def test_a_change_of_the_schema_is_not_noticed_between_statements(connection, onlooker):
    everything = "SELECT * FROM things ORDER BY name"
    assert len(await connection.fetchrow(everything)) == 3
    await onlooker.execute("ALTER TABLE things ADD COLUMN colour text")
    try:
        assert len(await connection.fetchrow(everything)) == 4
        assert [len(row) for row in await connection.fetch(everything)] == [4, 4]
    finally:
        await onlooker.execute("ALTER TABLE things DROP COLUMN colour")
    assert [len(row) for row in await connection.fetch(everything)] == [3, 3]


async def test_a_change_of_the_schema_breaks_off_a_transaction_and_nothing_after_it(connection, onlooker):
    everything = "SELECT * FROM things ORDER BY name"
    await connection.fetchrow(everything)
    await connection.execute("BEGIN")
    await onlooker.execute("ALTER TABLE things ADD COLUMN colour text")
    try:
        with pytest.raises(asyncpg.InvalidCachedStatementError):
            await connection.fetchrow(everything)
        await connection.execute("ROLLBACK")
        assert len(await connection.fetchrow(everything)) == 4
    finally:
        await onlooker.execute("ALTER TABLE things DROP COLUMN colour")


async def test_a_refusal_is_told_each_time(connection):
    for _ in range(2):
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.fetchrow("INSERT INTO things (name) VALUES ($1) RETURNING name", "cup")


async def test_the_server_breaks_off_what_takes_too_long(connection):
    await connection.fetchrow("SELECT pg_sleep($1)", 0)
    with pytest.raises(asyncpg.QueryCanceledError):
        await connection.fetchrow("SELECT pg_sleep($1)", 3)


async def test_a_server_that_says_nothing_is_not_waited_for_without_end(playground_url):
    connection = await asyncpg.connect(playground_url, connection_class=Connection, command_timeout=0.2)
    await connection.fetchrow("SELECT pg_sleep($1)", 0)
    for ask in (connection.fetchrow, connection.fetch):
        with pytest.raises(TimeoutError):
            await ask("SELECT pg_sleep($1)", 5)
    await connection.close()


async def test_a_connection_that_was_cut_says_so(open_pool, onlooker):
    pool = open_pool()
    lent = await pool.lend()
    await lent.connection.fetchrow(NAMES, 1)
    pool.cut()
    for ask in (lent.connection.fetchrow, lent.connection.fetch):
        with pytest.raises(asyncpg.InterfaceError):
            await ask(NAMES, 1)
    with pytest.raises(asyncpg.InterfaceError):
        lent.connection.get_settings()
    await pool.take_back(lent, is_clean=True)
    assert pool.in_use == 0
    async with pool.connection() as another:
        assert await another.fetch(NAMES, 1) == []


async def test_a_connection_that_the_server_ended_says_so(connection, onlooker):
    await connection.fetchrow(NAMES, 1)
    pid = (await connection.fetchrow("SELECT pg_backend_pid()"))[0]
    await onlooker.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    for _ in range(2):
        with pytest.raises(CONNECTION_TROUBLE):
            await connection.fetchrow(NAMES, 1)
