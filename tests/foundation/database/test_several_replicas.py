"""Which of several replicas answers, on servers of the test's own."""

import asyncio
import contextlib
import uuid
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import bindparam, column, func, insert, select, table
from tests.foundation.database.promotions import Servers, servers, watching
from tests.foundation.waiting import until

from midrise.foundation.database import Database, Statement
from midrise.foundation.database.positions import Consistency, consistency

pytestmark = pytest.mark.anyio

ADD = Statement(insert(table("things", column("name"))).values(name=bindparam("new_name")))
PORT = Statement(select(func.current_setting("port")))
SEEN_BY_ALL = 1
"""The horizon of who has written nothing for long."""
REPLICAS = ("midrise test replica 1", "midrise test replica 2")


@pytest.fixture(scope="module")
def three() -> Iterator[Servers]:
    """A primary and two replicas."""
    with servers(replicas=2) as started:
        yield started


@pytest.fixture
async def database(three: Servers):
    async with watching(three, most_lag_seconds=0.5) as database:
        await until(lambda: usable() == [1, 1] and all_are_up_to_date(database))
        yield database
        for replica in three.all[1:]:
            await three.resume(replica)


def all_are_up_to_date(database: Database) -> bool:
    nodes = database.nodes
    return all(node.position.covers(nodes.known()) for node in nodes.replicas)


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"midrise_{name}", labels) or 0


def usable() -> list[float]:
    return [sample("replica_usable", replica=name) for name in REPLICAS]


def reads() -> dict[str, float]:
    return {name: sample("reads_total", server=name) for name in ("primary", *REPLICAS)}


@contextlib.contextmanager
def request_of(caller: str | None) -> Iterator[None]:
    request = Consistency(known_caller=caller is not None, writer=caller, own_horizon=SEEN_BY_ALL)
    before = consistency.set(request)
    try:
        yield
    finally:
        consistency.reset(before)


async def answering(database: Database, caller: str | None = None) -> str:
    """The port of the server that answers."""
    with request_of(caller):
        async with database.read(may_lag=True) as unit:
            return await unit.value(PORT)


async def add(database: Database) -> None:
    async with database.write() as tx:
        await tx.execute(ADD, new_name=uuid.uuid4().hex)


def ports(three: Servers) -> list[str]:
    return [str(server.port) for server in three.all[1:]]


async def test_visitors_take_the_replicas_in_turn_and_the_metric_names_who_answered(three, database):
    before = reads()
    answered = [await answering(database) for _ in range(40)]
    # One that has not heard of the last yet is passed over.
    assert min(answered.count(port) for port in ports(three)) >= 10
    counted = [count - before[name] for name, count in reads().items()]
    assert counted == [answered.count(str(server.port)) for server in three.all]


async def test_a_session_keeps_to_one_replica_in_every_process_and_many_share_them(three, database):
    callers = [f"writes:{number}" for number in range(40)]
    kept = [await answering(database, caller) for caller in callers]
    assert min(kept.count(port) for port in ports(three)) >= 10
    async with watching(three) as another:
        await until(lambda: all(node.is_well for node in another.nodes.replicas))
        for caller, port in zip(callers, kept, strict=True):
            again = {await answering(another, caller) for _ in range(3)}
            # For one that has not heard of the last yet the primary answers, and never another replica.
            assert again <= {port, str(three.all[0].port)}


async def test_a_replica_that_lags_is_left_alone_until_it_has_caught_up(three, database):
    lagging, other = three.all[1:]
    await three.pause(lagging)
    await add(database)
    await until(lambda: usable() == [0, 1])
    assert sample("replica_lag_seconds", replica=REPLICAS[0]) > 0.5
    await three.replayed(other, of=three.all[0])
    await until(lambda: everybody_reads_at(database, {str(other.port)}))
    await three.resume(lagging)
    await until(lambda: usable() == [1, 1])
    assert sample("replica_lag_seconds", replica=REPLICAS[0]) == 0
    await until(lambda: everybody_reads_at(database, set(ports(three))))


async def everybody_reads_at(database: Database, expected: set[str]) -> bool:
    """Whether visitors and sessions are answered by these servers, and by no others."""
    callers = [None, *(f"writes:{number}" for number in range(20))]
    return {await answering(database, caller) for caller in callers * 2} == expected


async def test_a_process_that_starts_late_knows_how_far_a_replica_is_behind(three, database):
    lagging = three.all[1]
    await add(database)
    await three.replayed(lagging, of=three.all[0])
    await three.pause(lagging)
    await asyncio.sleep(1)  # so long is it behind, at least
    await add(database)
    async with watching(three, most_lag_seconds=0.5) as late:
        await until(lambda: all(node.is_well for node in late.nodes.replicas))
        assert sample("replica_lag_seconds", replica=REPLICAS[0]) > 0.5
        assert usable()[0] == 0
