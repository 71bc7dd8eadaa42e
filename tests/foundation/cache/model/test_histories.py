"""Ways through the model, step by step on real servers: nothing old is served by the real protocol."""

import itertools

import asyncpg
import pytest
from tests.foundation.cache.model.generations import Generations
from tests.foundation.cache.model.histories import random_history, shortest_to_stale_answer
from tests.foundation.cache.model.replay import Replay
from tests.foundation.cache.model.replayed_database import TABLES, Connections, HistoryDatabase
from tests.foundation.cache.model.search import StaleAnswer
from tests.foundation.cache.model.weaker_generations import (
    WEAKER,
    FilledWithoutHorizon,
    MarkedByEachWriter,
    MarkedUntilExpiry,
)
from tests.foundation.cache.remembered import HeldPrefix, Records, open_cache, process
from tests.foundation.waiting import until
from tests.servers import make_empty_database

pytestmark = pytest.mark.anyio

NUMBERS = itertools.count(1)
PROTOCOLS = (Generations, FilledWithoutHorizon, MarkedUntilExpiry, MarkedByEachWriter)
"""What allows the ways: a weakened one also those in which a reader fills that had better not."""
AT_ONCE = 50
LONGEST = 80

KEPT_FROM_A_LAG = (
    *("writer 1 begins", "writer 1 marks", "writer 1 commits"),
    *("reader 0: a reader sees the record", "reader 0: a reader finds nothing kept"),
    *("reader 0: a reader takes the bound 2", "reader 0: a reader resolves to 2"),
    *("reader 0: a reader reads what shows ()", "reader 0: a reader fills"),
    *("reader 1: a reader sees the record", "reader 1: the reader is given what was kept"),
)
KEPT_AND_CHANGED = (
    *(
        "reader 0: a reader finds no record",
        "reader 0: a reader draws",
        "reader 0: a reader finds nothing kept",
    ),
    *("reader 0: a reader takes the bound 1", "reader 0: a reader resolves to 1"),
    *("reader 0: a reader reads what shows ()", "reader 0: a reader fills"),
    *("writer 1 begins", "writer 1 commits"),
    *("reader 1: a reader sees the record", "reader 1: the reader is given what was kept"),
)
LOST_AND_MARKED = (
    *("writer 1 begins", "writer 2 begins", "writer 2 marks", "the cache is flushed"),
    *("writer 1 marks", "writer 1 commits", "writer 2 commits"),
    *("reader 0: a reader sees the record", "reader 0: a reader finds nothing kept"),
    *("reader 0: a reader reads what shows (1,)", "reader 0: a reader fills"),
    *("reader 1: a reader sees the record", "reader 1: the reader is given what was kept"),
)


class ReplayWithoutHorizon(Replay):
    """Readers fill with what any server shows, as if it had seen the end of everything."""

    def told(self, reading):
        return type(reading)(reading.value, 2**53 - 2, reading.next_xid)

    def is_far_enough(self, reading, glance) -> bool:  # noqa: ARG002  that is what is wrong with it
        return True


class ReplayWithLateMarks(Replay):
    """Writers commit before they mark: here they are stopped between the two."""

    async def commit(self, number) -> None:
        await self.database.commit(number)


@pytest.fixture(scope="module")
def histories_url(sockets, worker_number) -> str:
    return make_empty_database(sockets, f"midrise_histories_{worker_number}")


@pytest.fixture(scope="module")
async def connections(histories_url, anyio_backend):
    connections = Connections(histories_url)
    first = await asyncpg.connect(histories_url)
    await first.execute(TABLES)
    connections.give_back(first)
    yield connections
    await connections.close()


@pytest.fixture
async def replayed(connections, valkey_url):
    """Carries out a history; how many answers came from a cache. Raises `StaleAnswer`."""
    cache = open_cache(valkey_url)

    async def carry_out(history, *, processes: int, kind=Replay) -> int:
        records = Records(cache, HeldPrefix())
        database = HistoryDatabase(connections, history=next(NUMBERS))
        await database.open()
        try:
            replay = kind(records, database, [process(records) for _ in range(processes)])
            await replay.carry_out(history)
        finally:
            await database.close()
        return replay.delivered

    yield carry_out
    await cache.close()


async def carry_out_random(replayed, seeds: range) -> None:
    delivered, steps = 0, 0
    for seed in seeds:
        protocol = PROTOCOLS[seed % len(PROTOCOLS)](writers=2 + seed % 3, readers=3)
        history = random_history(protocol, seed=seed, longest=LONGEST)
        try:
            delivered += await replayed(history, processes=1 + seed // len(PROTOCOLS) % 2)
        except StaleAnswer as stale:
            pytest.fail("\n".join([f"seed {seed}, {stale}, by", *history]))
        steps += len(history)
    print(f"{len(seeds)} histories, {steps} steps, {delivered} answers from caches, none old")  # noqa: T201  told
    assert delivered


@pytest.mark.parametrize("first", range(0, 200, AT_ONCE))
async def test_random_histories_serve_nothing_old(replayed, first) -> None:
    await carry_out_random(replayed, range(first, first + AT_ONCE))


@pytest.mark.drill
@pytest.mark.parametrize("first", range(1000, 2000, 500))
async def test_many_random_histories_serve_nothing_old(replayed, first) -> None:
    await carry_out_random(replayed, range(first, first + 500))


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("weaker", WEAKER, ids=lambda weaker: weaker.__name__)
async def test_what_breaks_a_weaker_protocol_does_not_break_the_real_one(replayed, weaker, processes) -> None:
    await replayed(shortest_to_stale_answer(weaker(writers=2, readers=2)), processes=processes)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("history", [KEPT_FROM_A_LAG, KEPT_AND_CHANGED, LOST_AND_MARKED], ids=["1", "2", "3"])
async def test_nor_does_what_would_be_given_later(replayed, history, processes) -> None:
    """The search ends where somebody who waits is given what is old: here it would be kept first."""
    await replayed(history, processes=processes)


@pytest.mark.parametrize(
    ("history", "kind"),
    [
        (KEPT_FROM_A_LAG, ReplayWithoutHorizon),
        (KEPT_AND_CHANGED, ReplayWithLateMarks),
    ],
    ids=["without the horizon", "with late marks"],
)
@pytest.mark.parametrize("processes", [1, 2])
async def test_a_replay_with_one_rule_taken_away_finds_what_is_old(replayed, history, kind, processes) -> None:
    async def is_found() -> bool:
        try:
            await replayed(history, processes=processes, kind=kind)
        except StaleAnswer:
            return True
        return False

    # While other tests have transactions under way nothing may be kept, and so nothing old either.
    await until(is_found)


async def test_random_histories_find_it_too(replayed) -> None:
    found = 0
    for seed in range(20):
        history = random_history(FilledWithoutHorizon(writers=3, readers=3), seed=seed, longest=LONGEST)
        try:
            await replayed(history, processes=2, kind=ReplayWithoutHorizon)
        except StaleAnswer:
            found += 1
    print(f"{found} of 20 histories serve something old")  # noqa: T201  told
    assert found
