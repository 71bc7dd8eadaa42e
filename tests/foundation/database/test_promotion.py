"""What becomes of reads and writes when another server becomes the primary, on servers of the test's own."""

import asyncio
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import bindparam, column, insert, select, table
from tests.foundation.database.promotions import Servers, servers, watching
from tests.foundation.waiting import until

from midrise.foundation.database import Database, Statement, WriteUnit
from midrise.foundation.database.nodes import Node
from midrise.foundation.database.positions import Consistency, Position, consistency
from midrise.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio

THINGS = table("things", column("name"))
ADD = Statement(insert(THINGS).values(name=bindparam("new_name")))
LIST = Statement(select(THINGS.c.name).order_by(THINGS.c.name))


@pytest.fixture
def two() -> Iterator[Servers]:
    """A primary and a replica."""
    with servers() as started:
        yield started


@pytest.fixture
def three() -> Iterator[Servers]:
    """A primary and two replicas."""
    with servers(replicas=2) as started:
        yield started


async def add(database: Database, name: str) -> None:
    async with database.write() as tx:
        await tx.execute(ADD, new_name=name)


async def add_when_possible(database: Database, name: str) -> int:
    """Try until it works; how often it was refused."""
    refusals = 0
    async with asyncio.timeout(60):
        while True:
            try:
                await add(database, name)
            except Unavailable:
                refusals += 1
                await asyncio.sleep(0.05)
            else:
                return refusals


async def names(database: Database, *, may_lag: bool = False) -> list[str]:
    async with database.read(may_lag=may_lag) as unit:
        return [row["name"] for row in await unit.rows(LIST)]


async def in_request(database: Database, **knows: object) -> tuple[list[str], Consistency]:
    """Read what may lag, as part of a request that says what it knows."""
    request = Consistency(**knows)
    before = consistency.set(request)
    try:
        return await names(database, may_lag=True), request
    finally:
        consistency.reset(before)


def reads_by(node: Node) -> float:
    return REGISTRY.get_sample_value("midrise_reads_total", {"server": node.pool.process}) or 0


async def test_writes_find_the_promoted_replica_and_are_never_refused_again(two: Servers):
    primary, replica = two.all
    async with watching(two) as database:
        await add(database, "before")
        await two.replayed(replica, of=primary)
        two.kill(primary)
        with pytest.raises(Unavailable):
            await add(database, "while nobody is the primary")
        await two.promote(replica)
        await add_when_possible(database, "after")
        for number in range(50):
            await add(database, f"later {number:02}")
        assert len(await names(database)) == 52


async def test_work_whose_server_went_away_before_the_commit_is_done_again_on_the_next(two: Servers):
    primary, replica = two.all
    done: list[str] = []
    async with watching(two) as database:

        async def work(tx: WriteUnit) -> str:
            await tx.execute(ADD, new_name="once")
            if not done:
                await two.replayed(replica, of=primary)
                two.kill(primary)
                await two.promote(replica)
            done.append("tried")
            await tx.execute(ADD, new_name="with it")
            return "made"

        assert await database.write_once(None, str, work) == "made"
        assert (len(done), await names(database)) == (2, ["once", "with it"])


async def test_a_read_that_lost_the_primary_is_repeated_on_the_next_over_no_connection_of_before(two: Servers):
    primary, replica = two.all
    async with watching(two) as database, database.read() as unit:
        await add(database, "seen")
        await unit.rows(LIST)
        await two.replayed(replica, of=primary)
        (node,) = database.nodes.replicas
        await until(lambda: node.is_well and node.position.covers(database.nodes.known()))
        before = reads_by(node)
        await names(database, may_lag=True)
        assert reads_by(node) == before + 1, "there is a connection to the replica"
        two.kill(primary)
        await two.promote(replica)
        await until(lambda: database.nodes.primary is node)
        assert [row["name"] for row in await unit.rows(LIST)] == ["seen"]


async def test_an_old_primary_that_comes_back_is_not_written_to_or_read_from(two: Servers):
    primary, replica = two.all
    async with watching(two) as database:
        await add(database, "both")
        await two.replayed(replica, of=primary)
        two.kill(primary)
        await two.promote(replica)
        await add_when_possible(database, "new")
        two.start(primary)
        old = database.nodes.replicas[0]
        await until(lambda: old.answers and not old.is_replica)
        for number in range(20):
            await add(database, f"newer {number}")
            assert len(await names(database)) == len(await names(database, may_lag=True)) == number + 3
        assert await two.value(primary, "SELECT count(*) FROM things") == 1
    async with watching(two) as started_later:
        assert started_later.nodes.primary.url.endswith(str(replica.port))
        await add(started_later, "from a new process")
    assert await two.value(primary, "SELECT count(*) FROM things") == 1


async def test_a_primary_that_lives_on_beside_the_promoted_replica_loses_its_writers(two: Servers):
    primary, replica = two.all
    async with watching(two) as database:
        await add(database, "before")
        await two.promote(replica)
        await until(lambda: database.nodes.primary.url.endswith(str(replica.port)))
        await add_when_possible(database, "after")
        assert await two.value(primary, "SELECT count(*) FROM things") == 1
        writers = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'midrise test'"
        assert await two.value(primary, writers) == 0


async def test_reads_go_on_while_there_is_no_primary(two: Servers):
    primary, replica = two.all
    async with watching(two) as database:
        await add(database, "seen")
        await two.replayed(replica, of=primary)
        two.kill(primary)
        for _ in range(20):
            assert (await in_request(database))[0] == ["seen"]
        with pytest.raises(Unavailable):
            await names(database)
        await two.promote(replica)
        await until(lambda: database.nodes.primary.url.endswith(str(replica.port)))
        assert await names(database) == ["seen"]


async def test_who_says_nothing_is_served_without_the_last_that_a_lost_primary_took_with_it(two: Servers):
    primary, replica = two.all
    async with watching(two) as database:
        await add(database, "seen")
        await two.replayed(replica, of=primary)
        await two.run(replica, "SELECT pg_wal_replay_pause()")
        await add(database, "not replayed")
        _, request = await in_request(database)
        assert await names(database) == ["not replayed", "seen"]
        two.kill(primary)
        await until(lambda: not database.nodes.primary.answers)
        assert (await in_request(database))[0] == ["seen"]
        with pytest.raises(Unavailable):
            await in_request(database, required=request.reached)


async def test_a_token_is_all_that_counts_while_there_is_no_primary_and_not_before(two: Servers):
    primary, replica = two.all
    async with watching(two) as database:
        await add(database, "seen")
        _, seen = await in_request(database)
        await two.replayed(replica, of=primary)
        session = {"known_caller": True, "required": seen.reached}
        unseen = (None, 10**9)  # what the session wrote is not known, or not seen by any server
        for horizon in unseen:
            _, request = await in_request(database, **session, own_horizon=horizon)
            assert request.next_xid is not None, "a replica answered"
        two.kill(primary)
        await until(lambda: not database.nodes.primary.answers)
        for horizon in unseen:
            assert (await in_request(database, **session, own_horizon=horizon))[0] == ["seen"]
            with pytest.raises(Unavailable):
                await in_request(database, known_caller=True, own_horizon=horizon)


async def test_sessions_are_answered_by_the_replica_that_is_left_ahead_while_there_is_no_primary(
    three: Servers,
):
    primary, behind, ahead = three.all
    async with watching(three) as database:
        await add(database, "old")
        await three.replayed(behind, of=primary)
        await three.pause(behind)
        await add(database, "seen")
        await three.replayed(ahead, of=primary)
        three.kill(primary)
        await until(lambda: not database.nodes.primary.answers)
        for number in range(10):
            rows, _ = await in_request(database, known_caller=True, writer=f"writes:{number}", own_horizon=1)
            assert rows == ["old", "seen"]


async def test_every_place_is_labelled_with_the_timeline_that_it_is_on(three: Servers):
    primary, promoted, follower = three.all
    async with watching(three) as database:
        nodes = {
            node.url.rpartition("=")[2]: node for node in (database.nodes.primary, *database.nodes.replicas)
        }
        one, two = nodes[str(promoted.port)], nodes[str(follower.port)]
        await add(database, "before")
        old = database.nodes.known()
        assert [old.timeline, one.position.timeline, two.position.timeline] == [1, 1, 1]
        for replica in (promoted, follower):
            await three.replayed(replica, of=primary)
        three.kill(primary)
        await three.promote(promoted)
        await until(lambda: one.position is not None and one.position.timeline == 2)
        # No checkpoint has been made yet: the control file still names the old timeline.
        assert await three.value(promoted, "SELECT timeline_id FROM pg_control_checkpoint()") == 1
        assert two.position.timeline == 1
        await add_when_possible(database, "after")
        rows, request = await in_request(database, required=old)
        assert rows == ["after", "before"]
        assert request.reached.timeline == 2
        follower.primary.port = promoted.port
        three.stop(follower)
        three.start(follower)
        assert str(promoted.port) in (follower.folder / "midrise.conf").read_text()
        await until(lambda: two.position is not None and two.position.timeline == 2)
        assert (await in_request(database, required=request.reached))[0] == ["after", "before"]


async def test_a_token_of_the_old_timeline_means_the_primary_however_far_it_says(two: Servers):
    primary, replica = two.all
    async with watching(two) as database:
        await add(database, "before")
        await two.replayed(replica, of=primary)
        two.kill(primary)
        await two.promote(replica)
        await add_when_possible(database, "after")
        now = database.nodes.known()
        for lsn in (0, now.lsn, now.lsn + 10**9):
            for system, timeline in ((now.system, 1), (now.system, 3), (now.system + 1, 2)):
                rows, _ = await in_request(database, required=Position(system, timeline, lsn))
                assert rows == ["after", "before"]
