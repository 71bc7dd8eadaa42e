"""Many who have committed learn together where that stands in the log."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from tests.foundation.waiting import until

from midrise.foundation.database.log_end import LogEnd
from midrise.foundation.database.positions import NOWHERE, Position

pytestmark = pytest.mark.anyio


class Line:
    """A connection whose questions wait until the test lets them through."""

    def __init__(self, connection):
        self._connection = connection
        self.is_open = asyncio.Event()
        self.asked = 0

    async def fetchrow(self, query):
        self.asked += 1
        await self.is_open.wait()
        return await self._connection.fetchrow(query)

    def cut(self):
        self._connection.terminate()
        self.is_open.set()


@pytest.fixture
def log_end():
    return LogEnd(lambda lsn, _: Position(1, 1, lsn))


@pytest.fixture
async def lines(open_pool):
    pool = open_pool(largest_size=4)
    async with AsyncExitStack() as stack:
        yield [Line(await stack.enter_async_context(pool.connection())) for _ in range(4)]


@pytest.fixture
def ask(log_end, lines):
    """Begins to ask on one of the lines, and goes as far as it gets."""

    async def begin(number):
        task = asyncio.create_task(log_end.find(lines[number]))
        await asyncio.sleep(0)
        return task

    return begin


def asked(lines):
    return [line.asked for line in lines]


async def write(onlooker):
    """Make the log longer, and give where it ends then."""
    await onlooker.execute("SELECT pg_logical_emit_message(false, 'test', 'longer')")
    return await onlooker.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")


async def test_who_is_alone_asks_at_once(ask, lines, onlooker):
    end = await write(onlooker)
    lines[0].is_open.set()
    assert (await (await ask(0))).lsn >= end
    lines[1].is_open.set()
    end = await write(onlooker)
    assert (await (await ask(1))).lsn >= end
    assert asked(lines) == [1, 1, 0, 0]


async def test_who_comes_while_it_is_asked_is_told_what_is_asked_after_that(ask, lines, onlooker):
    first = await ask(0)
    end = await write(onlooker)
    later = [await ask(number) for number in (1, 2, 3)]
    assert asked(lines) == [1, 0, 0, 0]
    for line in lines:
        line.is_open.set()
    await first
    places = [await each for each in later]
    assert asked(lines) == [1, 1, 0, 0]
    assert len(set(places)) == 1
    assert places[0].lsn >= end


async def test_who_comes_while_others_are_asked_for_waits_for_the_next_question(ask, lines):
    first, second = await ask(0), await ask(1)
    lines[0].is_open.set()
    await first
    await until(lambda: lines[1].asked == 1)
    third = await ask(2)
    lines[1].is_open.set()
    await second
    lines[2].is_open.set()
    assert (await third).lsn > 0
    assert asked(lines) == [1, 1, 1, 0]


async def test_where_the_connection_breaks_nobody_waits_any_longer(ask, lines):
    asking = [await ask(number) for number in (0, 1, 2)]
    lines[0].cut()
    assert [await each for each in asking] == [NOWHERE] * 3
    assert asked(lines) == [1, 0, 0, 0]
    lines[3].is_open.set()
    assert (await (await ask(3))).lsn > 0


async def test_where_the_one_who_asks_gives_up_another_does_it(ask, lines):
    first, *others = [await ask(number) for number in (0, 1, 2)]
    first.cancel()
    lines[1].is_open.set()
    assert all([(await each).lsn > 0 for each in others])
    assert asked(lines) == [1, 1, 0, 0]


async def test_who_gives_up_while_waiting_is_passed_over(ask, lines):
    first, second, third = [await ask(number) for number in (0, 1, 2)]
    second.cancel()
    await asyncio.sleep(0)
    lines[0].is_open.set()
    lines[2].is_open.set()
    await first
    assert (await third).lsn > 0
    assert asked(lines) == [1, 0, 1, 0]


async def test_who_gives_up_as_its_turn_comes_leaves_it_to_the_next(ask, lines, log_end):
    first, second, third = [await ask(number) for number in (0, 1, 2)]
    lines[2].is_open.set()
    first.add_done_callback(lambda _: second.cancel())
    lines[0].is_open.set()
    assert (await third).lsn > 0
    with pytest.raises(asyncio.CancelledError):
        await second
    assert asked(lines)[:3] in ([1, 0, 1], [1, 1, 1])


async def test_a_place_that_is_not_known_to_be_of_the_primary_is_nowhere(lines):
    lines[0].is_open.set()
    assert await LogEnd(lambda *_: None).find(lines[0]) == NOWHERE
