"""Reads on a replica that does not answer any more, though its connections stay open."""

import asyncio
from collections.abc import Iterator

import psutil
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import func, select
from tests.foundation.database.promotions import Servers, servers, watching
from tests.foundation.waiting import until

from midrise.foundation.database import Database, Statement
from midrise.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio

ON_REPLICA = Statement(select(func.pg_is_in_recovery()))
BACKEND = Statement(select(func.pg_backend_pid()))
LONG = Statement(select(func.pg_is_in_recovery(), func.pg_sleep(2)))
TOO_LONG = Statement(select(func.pg_is_in_recovery(), func.pg_sleep(30)))
END_THE_WATCH = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name LIKE '% replica 1' AND query LIKE '%received_tli%' AND pid <> pg_backend_pid()
"""
LONGER_THAN_A_TEST = {f"{what}_timeout_seconds": 60 for what in ("acquire", "connect", "statement")}


@pytest.fixture(scope="module")
def two() -> Iterator[Servers]:
    """A primary and a replica."""
    with servers() as started:
        yield started


async def ask(database: Database, statement: Statement) -> object:
    async with database.read(may_lag=True) as unit:
        return await unit.value(statement)


def reads_on_primary() -> float:
    return REGISTRY.get_sample_value("midrise_reads_total", {"server": "primary"}) or 0


def replica_answers(database: Database):
    return lambda: ask(database, ON_REPLICA)


async def test_reads_on_a_replica_that_freezes_are_repeated_on_the_primary_at_once(two: Servers):
    async with watching(two, **LONGER_THAN_A_TEST) as database:
        await until(replica_answers(database))
        async with asyncio.timeout(20):
            with two.frozen(two.all[1]):
                # Some are sent, some have a connection opened, and some wait for one of the four.
                answers = await asyncio.gather(*(ask(database, ON_REPLICA) for _ in range(12)))
        assert answers == [False] * 12
        await until(replica_answers(database))


async def test_who_holds_a_connection_to_it_goes_on_with_the_primary(two: Servers):
    async with watching(two, **LONGER_THAN_A_TEST) as database:
        await until(replica_answers(database))
        async with asyncio.timeout(20), database.read(may_lag=True) as unit:
            assert await unit.value(ON_REPLICA)
            with two.frozen(two.all[1]):
                assert not await unit.value(ON_REPLICA)


async def test_a_single_connection_that_hangs_is_given_up_for_the_primary(two: Servers, monkeypatch):
    monkeypatch.setattr("midrise.foundation.database.pool._GRACE_SECONDS", 0.2)
    async with watching(two, statement_timeout_seconds=0.5) as database:
        await until(replica_answers(database))
        async with database.read(may_lag=True) as unit:
            backend = psutil.Process(await unit.value(BACKEND))
            backend.suspend()
            try:
                assert not await unit.value(ON_REPLICA)
            finally:
                backend.resume()


async def test_a_read_that_the_replica_itself_ends_for_its_length_is_not_repeated(two: Servers):
    async with watching(two, statement_timeout_seconds=0.3) as database:
        await until(replica_answers(database))
        before = reads_on_primary()
        with pytest.raises(Unavailable):
            await ask(database, TOO_LONG)
        assert reads_on_primary() == before


async def test_a_long_read_goes_on_though_the_watch_of_the_replica_breaks_off(two: Servers):
    async with watching(two) as database:
        await until(replica_answers(database))
        reading = asyncio.create_task(ask(database, LONG))
        await until(lambda: database.nodes.replicas[0].pool.in_use)
        before = database.nodes.replicas[0].renewed_at
        await two.run(two.all[1], END_THE_WATCH)
        await until(lambda: database.nodes.replicas[0].renewed_at > before)
        assert await reading
