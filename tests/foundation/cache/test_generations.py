"""The scripts on the records, on a real server: docs/cache.md says what each must do."""

import secrets

import pytest
from tests.foundation.cache.remembered import HeldPrefix, Records, open_cache

from midrise.foundation.cache.generations import RECORD_SECONDS, Seen, ValkeyGenerations, read_record
from midrise.foundation.database.cache_switch.marking import CacheNotMarked

pytestmark = pytest.mark.anyio

GREATEST_XID = 2**53 - 2
"""Lua counts in doubles; PostgreSQL would need three thousand years of a hundred thousand changes a second."""


@pytest.fixture
async def records(valkey_url):
    cache = open_cache(valkey_url)
    yield Records(cache, HeldPrefix())
    await cache.close()


def answer_key() -> str:
    return f"answer:{secrets.token_hex(8)}"


async def fill(records: Records, *seen: Seen, xmin: int, next_xid: int | None = None, key: str | None = None):
    return await records.generations.fill(
        seen, xmin=xmin, next_xid=next_xid, key=key or answer_key(), answer=b"shown"
    )


async def test_a_record_is_drawn_once_and_nothing_is_known_of_its_horizon(records):
    (first,) = await records.see("thing")
    (again,) = await records.see("thing")
    assert first == again
    assert first.horizon is None
    assert await records.cache.execute("TTL", first.key) in range(1, RECORD_SECONDS + 1)


async def test_a_lost_record_comes_back_with_another_value_and_without_a_horizon(records):
    known = await records.settled("thing", next_xid=9)
    await records.cache.execute("DEL", known.key)
    (drawn,) = await records.see("thing")
    assert drawn.value != known.value
    assert drawn.horizon is None


async def test_a_mark_replaces_the_value_and_raises_the_horizon(records):
    before = await records.settled("thing", next_xid=10)
    await records.mark("thing", next_xid=15)
    (after,) = await records.see("thing")
    assert after.value != before.value
    assert after.horizon == 15


async def test_a_mark_of_an_older_change_replaces_the_value_and_leaves_the_horizon(records):
    before = await records.settled("thing", next_xid=20)
    await records.mark("thing", next_xid=15)
    (after,) = await records.see("thing")
    assert after.value != before.value
    assert after.horizon == 20


async def test_a_mark_where_nothing_is_known_makes_nothing_known(records):
    (unknown,) = await records.see("thing")
    await records.mark("thing", "absent", next_xid=15)
    thing, absent = await records.see("thing", "absent")
    assert thing.value != unknown.value
    assert thing.horizon is absent.horizon is None


async def test_large_horizons_keep_every_digit(records):
    await records.settled("thing", next_xid=GREATEST_XID)
    await records.mark("thing", next_xid=GREATEST_XID + 1)
    assert (await records.see("thing"))[0].horizon == GREATEST_XID + 1
    (other,) = await records.see("other")
    assert await fill(records, other, xmin=GREATEST_XID, next_xid=GREATEST_XID)
    assert (await records.see("other"))[0].horizon == GREATEST_XID


async def test_a_mark_that_does_not_come_through_is_told(records, start_valkey, fake_server):
    gone = start_valkey()
    gone.kill()

    async def agree_to_everything(reader, writer) -> None:
        while await reader.read(65_536):
            writer.write(b"+OK\r\n")

    async with fake_server(agree_to_everything) as liar:
        for url in (gone.url, liar):
            cache = open_cache(url, call_budget_seconds=0.5, connect_budget_seconds=0.5)
            with pytest.raises(CacheNotMarked):
                await ValkeyGenerations(cache).mark("p:", ["thing"], next_xid=3)
            await cache.close()


async def test_a_horizon_is_settled_only_where_there_is_none_and_the_value_still_stands(records):
    (seen,) = await records.see("thing")
    await records.mark("thing", next_xid=7)
    await records.generations.settle(seen, next_xid=99)
    assert (await records.see("thing"))[0].horizon is None
    known = await records.settled("thing", next_xid=12)
    await records.generations.settle(known, next_xid=5)
    assert (await records.see("thing"))[0] == known


async def test_an_answer_is_kept_whose_snapshot_saw_the_end_of_all_below_the_horizon(records):
    known, key = await records.settled("thing", next_xid=10), answer_key()
    assert not await fill(records, known, xmin=9, key=key)
    assert await records.cache.execute("EXISTS", key) == 0
    assert await fill(records, known, xmin=10, key=key)
    assert await records.cache.execute("GET", key) == b"shown"
    assert await records.cache.execute("TTL", key) > 0


async def test_nothing_is_kept_under_a_value_that_was_replaced(records):
    known = await records.settled("thing", next_xid=10)
    await records.mark("thing", next_xid=15)
    assert not await fill(records, known, xmin=99)
    (unknown,) = await records.see("lost")
    await records.cache.execute("DEL", unknown.key)
    assert not await fill(records, unknown, xmin=99, next_xid=99)


async def test_who_read_from_the_primary_finds_a_horizon_and_may_have_to_wait_for_it(records):
    (seen,) = await records.see("thing")
    assert not await fill(records, seen, xmin=11, next_xid=14)
    (known,) = await records.see("thing")
    assert (known.value, known.horizon) == (seen.value, 14)
    assert await fill(records, known, xmin=14)


async def test_who_read_from_a_replica_can_not_tell_a_horizon(records):
    (seen,) = await records.see("thing")
    assert not await fill(records, seen, xmin=99)
    assert (await records.see("thing"))[0].horizon is None


async def test_an_answer_of_two_generations_needs_both(records):
    first = await records.settled("first", next_xid=10)
    second = await records.settled("second", next_xid=20)
    assert not await fill(records, first, second, xmin=15)
    assert await fill(records, first, second, xmin=20)
    await records.mark("second", next_xid=25)
    assert not await fill(records, first, second, xmin=30)


@pytest.mark.parametrize("record", [None, 7, b"", b"short:1", b"0123456789abcdef", b"0123456789abcdef:x"])
def test_what_is_no_record_is_not_believed(record):
    with pytest.raises(ValueError, match=r"generation|invalid literal"):
        read_record("key", record)
