"""What the model says of PostgreSQL's snapshots is so on a real one.

Transaction ids are one row of numbers for all databases of a server, and other tests use it at the same time.
So what must never be is asserted of every try, and what may be is looked for until it is seen.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import pytest
from tests.foundation.waiting import until
from tests.servers import REPLICA_PORT, database_url

pytestmark = pytest.mark.anyio

TRIES = 50

SNAPSHOT = """
SELECT pg_snapshot_xmin(s)::text::bigint AS xmin,
       pg_snapshot_xmax(s)::text::bigint AS xmax,
       pg_snapshot_xmax(s)::text::bigint + age(pg_snapshot_xmax(s)::xid) AS next_xid
FROM pg_current_snapshot() AS s
"""
"""`age` counts from the next xid to be given, in a transaction that has none itself. Only on a primary."""

SNAPSHOT_OF_REPLICA = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
OWN_XID = "SELECT pg_current_xact_id()::text::bigint"


@dataclass
class OpenTransaction:
    """A transaction that has an xid."""

    xid: int
    end: asyncpg.transaction.Transaction


@pytest.fixture
async def reader(worker_database_url) -> AsyncIterator[asyncpg.Connection]:
    async with connected(worker_database_url) as connection:
        yield connection


@pytest.fixture
async def replica(sockets) -> AsyncIterator[asyncpg.Connection]:
    async with connected(database_url(sockets, "postgres", role="postgres", port=REPLICA_PORT)) as connection:
        await connection.execute("SELECT pg_wal_replay_resume()")
        yield connection
        await connection.execute("SELECT pg_wal_replay_resume()")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def writing(url: str) -> AsyncIterator[OpenTransaction]:
    async with connected(url) as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield OpenTransaction(await connection.fetchval(OWN_XID), transaction)


async def test_xmax_is_not_above_every_transaction_in_progress(worker_database_url, reader) -> None:
    async def is_seen() -> bool:
        async with writing(worker_database_url) as writer:
            snapshot = await reader.fetchrow(SNAPSHOT)
        return writer.xid >= snapshot["xmax"]

    await until(is_seen)


async def test_xmin_does_not_tell_of_a_transaction_at_or_above_xmax(worker_database_url, reader) -> None:
    """So a horizon of xmax would let this snapshot through, though the writer may commit at any moment."""

    async def is_seen() -> bool:
        async with writing(worker_database_url) as writer:
            snapshot = await reader.fetchrow(SNAPSHOT)
        return writer.xid >= snapshot["xmax"] == snapshot["xmin"]

    await until(is_seen)


async def test_the_next_xid_is_above_every_transaction_in_progress(worker_database_url, reader) -> None:
    for _ in range(TRIES):
        async with writing(worker_database_url) as writer:
            snapshot = await reader.fetchrow(SNAPSHOT)
        assert snapshot["next_xid"] > writer.xid
        assert snapshot["next_xid"] > snapshot["xmin"]


async def test_xmin_reaches_a_horizon_only_when_the_writer_has_ended(worker_database_url, reader) -> None:
    async with writing(worker_database_url) as writer:
        horizon = (await reader.fetchrow(SNAPSHOT))["next_xid"]
        assert (await reader.fetchrow(SNAPSHOT))["xmin"] < horizon
        async with writing(worker_database_url) as later:
            await later.end.commit()
        assert (await reader.fetchrow(SNAPSHOT))["xmin"] <= writer.xid < horizon
        await writer.end.commit()

    async def reached() -> bool:
        return (await reader.fetchrow(SNAPSHOT))["xmin"] >= horizon

    await until(reached)


async def test_a_transaction_with_an_xid_counts_age_from_its_own(worker_database_url) -> None:
    """So a bound is never taken in a transaction that has written: it would not be above a later writer."""
    async with connected(worker_database_url) as early, early.transaction():
        own = await early.fetchval(OWN_XID)
        async with writing(worker_database_url) as later:
            assert (await early.fetchrow(SNAPSHOT))["next_xid"] == own < later.xid


async def test_a_transaction_counts_age_from_its_first_call(worker_database_url, reader) -> None:
    """So a bound is taken by a statement of its own: one in a longer transaction may be as old as that."""
    async with reader.transaction():
        first = (await reader.fetchrow(SNAPSHOT))["next_xid"]
        async with writing(worker_database_url) as later:
            assert (await reader.fetchrow(SNAPSHOT))["next_xid"] == first <= later.xid


async def test_the_xmin_of_a_replica_is_not_above_a_transaction_in_progress(
    worker_database_url, replica
) -> None:
    async with writing(worker_database_url) as writer:
        assert await replica.fetchval(SNAPSHOT_OF_REPLICA) <= writer.xid
        async with writing(worker_database_url) as later:
            await later.end.commit()
        assert await replica.fetchval(SNAPSHOT_OF_REPLICA) <= writer.xid


async def test_the_xmin_of_a_replica_is_not_above_a_commit_that_it_has_not_replayed(
    worker_database_url, replica
) -> None:
    await replica.execute("SELECT pg_wal_replay_pause()")
    await until(lambda: replica.fetchval("SELECT pg_get_wal_replay_pause_state() = 'paused'"))
    async with writing(worker_database_url) as writer:
        await writer.end.commit()
    assert await replica.fetchval(SNAPSHOT_OF_REPLICA) <= writer.xid
    await replica.execute("SELECT pg_wal_replay_resume()")

    async def replayed() -> bool:
        return await replica.fetchval(SNAPSHOT_OF_REPLICA) > writer.xid

    await until(replayed)
