"""Remembered reads on a real server: who may have part in whose reading, and what is left of it."""

import asyncio

import pytest
from tests.foundation.cache.remembered import HeldPrefix, Records, Shown, open_cache, process

from midrise.foundation.cache.generations import ANSWER_SECONDS
from midrise.foundation.cache.reads import Reading, glance_of

pytestmark = pytest.mark.anyio

AT_ONCE = 1000


async def test_what_was_read_is_found_near_and_by_other_processes(records, source, call):
    one, other = process(records), process(records)
    assert await one.read(call, await records.glance("g"), source.read) == Shown("first")
    glance = await records.glance("g")
    assert one.find_near(call, glance) == Shown("first")
    assert other.find_near(call, glance) is None
    assert await other.find_far(call, glance) == Shown("first")
    assert other.find_near(call, glance) == Shown("first")
    assert one.find_near("another call", glance) is None
    assert source.asked == 1


async def test_after_a_mark_nothing_of_before_is_found(records, source, call):
    reads = process(records)
    await reads.read(call, await records.glance("g"), source.read)
    await records.mark("g", next_xid=11)
    glance = await records.glance("g")
    assert reads.find_near(call, glance) is None
    assert await reads.find_far(call, glance) is None


async def test_under_another_prefix_nothing_is_found_or_kept(records, source, call):
    reads = process(records)
    await reads.read(call, await records.glance("g"), source.read)
    glance = await records.glance("g")
    for prefix in (None, "other:"):
        records.switch.prefix = prefix
        assert reads.find_near(call, glance) is None
        assert await reads.find_far(call, glance) is None
        assert await reads.read(call, glance, source.read) == Shown("first")
    records.switch.prefix = glance.prefix
    assert reads.find_near(call, glance) == Shown("first")


async def test_a_prefix_that_changes_while_somebody_reads_keeps_the_answer_from_being_kept(
    records, source, call
):
    reads, glance = process(records), await records.glance("g")
    source.may_answer.clear()
    reading = asyncio.create_task(reads.read(call, glance, source.read))
    await source.is_asked.wait()
    records.switch.prefix = "another epoch:"
    source.may_answer.set()
    assert await reading == Shown("first")
    records.switch.prefix = glance.prefix
    assert reads.find_near(call, await records.glance("g")) is None
    assert await reads.find_far(call, await records.glance("g")) is None


async def test_a_thousand_at_once_are_one_reading(records, source, call):
    reads, glance = process(records), await records.glance("g")
    answers = await asyncio.gather(*(reads.read(call, glance, source.read) for _ in range(AT_ONCE)))
    assert set(answers) == {Shown("first")}
    assert source.asked == 1


async def test_when_the_leader_is_cancelled_another_one_reads_for_all(records, source, call):
    reads, glance = process(records), await records.glance("g")
    source.may_answer.clear()
    leader = asyncio.create_task(reads.read(call, glance, source.read))
    await source.is_asked.wait()
    others = [asyncio.create_task(reads.read(call, glance, source.read)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    leader.cancel()
    source.may_answer.set()
    assert set(await asyncio.gather(*others)) == {Shown("first")}
    assert leader.cancelled()
    assert source.asked == 2


async def test_when_the_leader_fails_only_the_leader_does(records, source, call):
    reads, glance = process(records), await records.glance("g")

    async def fail() -> Reading[Shown]:
        await asyncio.sleep(0)
        raise OSError("its connection broke")

    outcomes = await asyncio.gather(
        reads.read(call, glance, fail),
        *(reads.read(call, glance, source.read) for _ in range(AT_ONCE)),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], OSError)
    assert set(outcomes[1:]) == {Shown("first")}
    assert source.asked == 1


async def test_a_joiner_that_is_cancelled_leaves_the_others_alone(records, source, call):
    reads, glance = process(records), await records.glance("g")
    source.may_answer.clear()
    tasks = [asyncio.create_task(reads.read(call, glance, source.read)) for _ in range(10)]
    await source.is_asked.wait()
    for task in tasks[5:]:
        task.cancel()
    source.may_answer.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert outcomes[:5] == [Shown("first")] * 5
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes[5:])


async def test_who_came_after_a_change_gets_nothing_that_was_read_before_it(records, source, call):
    reads = process(records)
    source.may_answer.clear()
    early = asyncio.create_task(reads.read(call, await records.glance("g"), source.read))
    await source.is_asked.wait()
    # A change: marked, and committed.
    await records.mark("g", next_xid=11)
    source.text, source.xmin, source.next_xid = "second", 11, 11
    late = [asyncio.create_task(reads.read(call, await records.glance("g"), source.read)) for _ in range(5)]
    await asyncio.sleep(0)
    source.may_answer.set()
    assert await early == Shown("first")
    assert set(await asyncio.gather(*late)) == {Shown("second")}
    assert source.asked == 2
    assert reads.find_near(call, await records.glance("g")) == Shown("second")


@pytest.mark.parametrize("reading", [Reading(None), Reading(None, 99, 99), Reading(Shown("x"), None, None)])
async def test_what_is_not_to_be_shared_is_not_kept(records, call, reading):
    async def read() -> Reading[Shown]:
        return reading

    reads = process(records)
    assert await reads.read(call, await records.glance("g"), read) == reading.value
    assert reads.find_near(call, await records.glance("g")) is None


async def test_garbage_in_the_cache_is_no_answer(records, source, call):
    one, other = process(records), process(records)
    await one.read(call, await records.glance("g"), source.read)
    async for key in keys_of(records, call):
        await records.cache.execute("SET", key, b"\xc1garbage")
    assert await other.find_far(call, await records.glance("g")) is None


async def keys_of(records: Records, call: str):
    cursor = b"0"
    while True:
        cursor, keys = await records.cache.execute("SCAN", cursor, "MATCH", f"*{call}", "COUNT", 1000)
        for key in keys:
            yield key
        if cursor == b"0":
            return


async def test_the_least_recently_asked_for_is_forgotten_first(records, source):
    reads, glance = process(records, most_bytes=1000), await records.glance("g")
    for name in ("a", "b", "c"):
        await reads.read(name, glance, source.read)
    assert reads.find_near("a", glance) is not None
    await reads.read("d", glance, source.read)
    assert [reads.find_near(name, glance) is not None for name in "abcd"] == [True, False, True, True]
    source.text = "x" * 2000
    await reads.read("large", glance, source.read)
    assert all(reads.find_near(name, glance) is None for name in (*"abcd", "large"))


async def test_what_is_remembered_is_read_anew_after_a_time_however_often_it_is_asked_for(
    records, source, call, passing_time
):
    reads, glance = process(records), await records.glance("g")
    await reads.read(call, glance, source.read)
    for _ in range(2):
        passing_time.seconds += ANSWER_SECONDS / 2
        assert reads.find_near(call, glance) == Shown("first")
    passing_time.seconds += 1
    assert reads.find_near(call, glance) is None
    # Changed by hand: no generation was marked.
    source.text = "second"
    assert await reads.read(call, glance, source.read) == Shown("second")
    assert reads.find_near(call, glance) == Shown("second")


async def test_a_cache_that_is_gone_costs_nothing_but_the_memory(start_valkey, source, call):
    server, switch = start_valkey(), HeldPrefix()
    cache = open_cache(server.url)
    records = Records(cache, switch)
    reads = process(records)
    await reads.read("before", await records.glance("g"), source.read)
    glance = await records.glance("g")
    server.kill()
    assert await reads.read(call, glance, source.read) == Shown("first")
    assert await reads.find_far(call, glance) is None
    await cache.close()


def test_nothing_is_seen_without_a_prefix_or_without_generations():
    assert glance_of(None, ()) is None
    assert glance_of("p:", ()) is None


async def test_in_rounds_who_comes_while_somebody_reads_has_part_in_the_next_reading(records, source, call):
    reads = process(records)

    async def read() -> Reading[Shown]:
        await asyncio.sleep(0)
        return await source.read()

    source.may_answer.clear()
    leader = asyncio.create_task(reads.read_in_rounds(call, read))
    await source.is_asked.wait()
    source.text = "second"
    others = [asyncio.create_task(reads.read_in_rounds(call, read)) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    source.may_answer.set()
    assert await leader == Shown("first")
    assert await asyncio.gather(*others) == [Shown("second")] * AT_ONCE
    assert source.asked == 2


async def test_in_rounds_nobody_waits_for_a_leader_that_went_away(records, source, call):
    reads = process(records)

    async def read() -> Reading[Shown]:
        await asyncio.sleep(0)
        return await source.read()

    source.may_answer.clear()
    leader = asyncio.create_task(reads.read_in_rounds(call, read))
    await source.is_asked.wait()
    others = [asyncio.create_task(reads.read_in_rounds(call, read)) for _ in range(10)]
    await asyncio.sleep(0)
    leader.cancel()
    source.may_answer.set()
    assert await asyncio.gather(*others) == [Shown("first")] * 10
    assert source.asked == 2
