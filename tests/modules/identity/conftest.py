"""People with roles, a second instance on the same database, and a look at the database from beside."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
from tests.conftest import PASSWORD, client_of
from tests.modules.identity.mailbox import Mailbox, open_mailbox

from midrise.foundation.database import ConnectionPool
from midrise.settings import Settings

NAME = "Rahima Khatun"

_OF_THE_TEST = ContextVar("of_the_test", default=False)
"""The application asks by itself as well, in tasks of its own."""


def bearer(access_token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access_token}"}


def registration(**fields: Any) -> dict[str, Any]:
    """A body that registers somebody, with other fields where these are given."""
    return {"email": f"{secrets.token_hex(8)}@midrise.test", "password": PASSWORD, "name": NAME} | fields


@dataclass(frozen=True)
class Person:
    """Somebody who registered and logged in."""

    id: str
    email: str
    tokens: dict[str, Any]
    client: httpx.AsyncClient

    @property
    def headers(self) -> dict[str, str]:
        """What lets another instance know the person."""
        return bearer(self.tokens["access_token"])


@pytest.fixture
async def somebody(application, client, emptier):
    """Makes people: ``await somebody(roles=["manager"])``."""
    async with AsyncExitStack() as stack:

        async def make(*, roles: tuple[str, ...] | list[str] = ("customer",), **fields: Any) -> Person:
            body = registration(**fields)
            user_id = (await client.post("/v1/auth/register", json=body)).json()["id"]
            await emptier.execute("DELETE FROM user_roles WHERE user_id = $1", user_id)
            await emptier.executemany("INSERT INTO user_roles VALUES ($1, $2)", [(user_id, r) for r in roles])
            tokens = (await log_in(client, body["email"], body["password"])).json()
            known = await stack.enter_async_context(client_of(application, token=tokens["access_token"]))
            return Person(user_id, body["email"], tokens, known)

        yield make


@pytest.fixture
async def mailbox(settings: Settings, connection, tmp_path) -> AsyncIterator[Mailbox]:
    """A worker's mails."""
    async with open_mailbox(settings.model_copy(update={"home": tmp_path}), connection) as mailbox:
        yield mailbox


@pytest.fixture
async def other_instance(start_application):
    """A visitor's client of another application on the same database."""
    return await start_application()


@pytest.fixture
def asked(monkeypatch):
    """What asked for a connection of the database in the test's own calls, since ``asked.clear()``."""

    class Asked(list):
        def clear(self):
            _OF_THE_TEST.set(True)
            super().clear()

    asked = Asked()
    lend = ConnectionPool.lend

    async def counted(pool):
        if _OF_THE_TEST.get():
            asked.append(pool)
        return await lend(pool)

    monkeypatch.setattr(ConnectionPool, "lend", counted)
    return asked


@pytest.fixture
async def connection(database_url) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def first(connection):
    """Has statements run first: the calls made inside wait for their transaction.

    ``async with first("UPDATE …") as waiting: call = waiting(client.patch(…))``; what was called is answered
    behind the block, once the transaction is committed.
    """

    @asynccontextmanager
    async def first(*statements: str):
        calls: list[asyncio.Task[Any]] = []

        async def waiting(call):
            calls.append(asyncio.create_task(call))
            async with asyncio.timeout(5):
                # What is waited for is in the server, which tells nobody.
                while await connection.fetchval(_WAITING) < len(calls):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            return calls[-1]

        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement)
            yield waiting

    return first


@pytest.fixture
def failing_commits(connection):
    """Has every commit fail that changes a table: ``async with failing_commits("sessions"):``."""

    @asynccontextmanager
    async def failing_commits(table: str):
        await connection.execute(_FAIL_AT_COMMIT.format(table=table))
        try:
            yield
        finally:
            await connection.execute("DROP FUNCTION fail_at_commit CASCADE")

    return failing_commits


async def log_in(
    client: httpx.AsyncClient,
    email: str,
    password: str = PASSWORD,
    *,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> httpx.Response:
    """Log in, with further fields of the body where these are given."""
    body = {"email": email, "password": password} | more
    return await client.post("/v1/auth/login", json=body, headers=headers)


async def refresh(client: httpx.AsyncClient, token: str, **more: Any) -> httpx.Response:
    return await client.post("/v1/auth/refresh", json={"refresh_token": token}, **more)


# Not by pg_stat_activity, which shows a transaction what was when it first looked.
_WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks waiting WHERE NOT granted AND EXISTS (
  SELECT FROM pg_locks held JOIN pg_database ON held.database = pg_database.oid
  WHERE held.pid = waiting.pid AND datname = current_database()
)
"""

_FAIL_AT_COMMIT = """
CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN RAISE 'not today' USING ERRCODE = 'serialization_failure'; END
$$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT OR UPDATE ON {table}
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_at_commit();
"""
