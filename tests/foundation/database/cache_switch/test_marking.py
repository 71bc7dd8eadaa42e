"""What a change owes the cache: a mark, or that nobody uses it any more."""

from collections.abc import Collection

import pytest
from tests.foundation.cache.remembered import HeldPrefix, Records, open_cache
from tests.foundation.waiting import until

from midrise.foundation.cache.generations import ValkeyGenerations
from midrise.foundation.database.cache_switch import Marking
from midrise.foundation.database.cache_switch.marking import CacheNotMarked
from midrise.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio

IS_ON = "SELECT off_until IS NULL FROM cache_state"


class Failing:
    """Generations out of reach of this process alone."""

    async def mark(self, prefix: str, names: Collection[str], *, next_xid: int) -> None:
        raise CacheNotMarked(f"{len(names)} under {prefix} for {next_xid}")


class Slow:
    """Generations that take so long that something happens meanwhile."""

    def __init__(self, happens) -> None:
        self._happens = happens

    async def mark(self, prefix: str, names: Collection[str], *, next_xid: int) -> None:
        del prefix, names, next_xid
        await self._happens()


@pytest.fixture
async def watching(process, server):
    """The switch of a process that uses the cache."""
    switch = process(server)
    await switch.start()
    await until(lambda: switch.prefix is not None)
    return switch


async def test_a_mark_that_comes_through_leaves_the_cache_on(process, valkey_url, row):
    cache = open_cache(valkey_url)
    switch = process(cache)
    await switch.start()
    await until(lambda: switch.prefix is not None)
    records = Records(cache, HeldPrefix(switch.prefix))
    before = await records.settled("thing", next_xid=10)
    await Marking(switch, ValkeyGenerations(cache)).mark({"thing"}, xid=41)
    (after,) = await records.see("thing")
    assert (after.value != before.value, after.horizon) == (True, 42)
    assert await row.fetchval(IS_ON)
    await cache.close()


async def test_a_mark_that_fails_turns_the_cache_off_for_all(process, server, watching, row):
    assert await process(server).known_prefix() == watching.prefix
    await Marking(process(server), Failing()).mark({"thing"}, xid=41)
    assert watching.prefix is None
    assert not await row.fetchval(IS_ON)


async def test_a_mark_in_an_epoch_that_ended_meanwhile_is_none(process, server, watching, row):
    before = watching.prefix
    asked_once = process(server)

    async def end_epoch() -> None:
        await row.execute("UPDATE cache_state SET epoch = 'another'")
        await until(lambda: watching.prefix not in {before, None})
        assert await asked_once.known_prefix() == watching.prefix

    await Marking(watching, Slow(end_epoch)).mark({"thing"}, xid=41)
    assert asked_once.prefix is watching.prefix is None


async def test_a_command_without_a_cache_marks_nothing_and_turns_it_off(process, watching, row):
    await Marking(process(None), None).mark({"thing"}, xid=41)
    assert watching.prefix is None
    assert not await row.fetchval(IS_ON)


async def test_where_it_can_not_even_be_turned_off_the_change_may_not_commit(process, server, tmp_path):
    gone = process(server, url=f"postgresql://midrise@/midrise?host={tmp_path}&port=1")
    with pytest.raises(Unavailable):
        await Marking(gone, Failing()).mark({"thing"}, xid=41)


class Marked:
    """Generations that take every mark."""

    def __init__(self) -> None:
        self.prefixes: set[str] = set()

    async def mark(self, prefix: str, names: Collection[str], *, next_xid: int) -> None:
        del names, next_xid
        self.prefixes.add(prefix)


async def test_who_believed_it_off_and_finds_it_on_marks_and_leaves_it_on(process, server, watching, row):
    for _ in range(5):
        asked_while_off = process(server)
        await row.execute("UPDATE cache_state SET off_until = clock_timestamp()")
        assert await asked_while_off.known_prefix() is None
        # Somebody turns it on in the very next moment.
        await row.execute("UPDATE cache_state SET off_until = NULL")
        # Whatever it knew when it was asked is a poll old at most.
        marks = Marked()
        await Marking(asked_while_off, marks).mark({"thing"}, xid=41)
        assert await row.fetchval(IS_ON)
        assert marks.prefixes == {asked_while_off.prefix}
