"""What was read and may not be kept: who else may be shown it."""

import asyncio

import pytest
from tests.foundation.cache.remembered import Shown, process

from midrise.foundation.cache.reads import Reading

pytestmark = pytest.mark.anyio


async def read_while_somebody_writes(reads, glances, source, call) -> list[Shown | None]:
    """Read at once under each glance, while no snapshot has seen the end of a transaction."""
    source.xmin, source.next_xid = 10, 12
    source.may_answer.clear()
    tasks = [asyncio.create_task(reads.read(call, glance, source.read)) for glance in glances]
    await source.is_asked.wait()
    source.may_answer.set()
    return await asyncio.gather(*tasks)


async def test_what_may_not_be_kept_is_shared_with_those_who_came_before_it_was_begun(records, source, call):
    reads, glance = process(records), await records.glance("g")
    answers = await read_while_somebody_writes(reads, [glance] * 1000, source, call)
    # The second reads because the first one's reading was begun before it came; all others share that.
    assert (set(answers), source.asked) == ({Shown("first")}, 2)
    assert reads.find_near(call, await records.glance("g")) is None


async def test_what_may_not_be_kept_is_not_shared_with_who_saw_a_later_change(records, source, call):
    reads, glance = process(records), await records.glance("g")
    await records.mark("g", next_xid=11)
    later = await records.glance("g")
    await read_while_somebody_writes(reads, [glance, glance, glance, later, later], source, call)
    # Twice for those before the change, as it is without one, and twice for those after it.
    assert source.asked == 4


async def test_what_nobody_can_place_is_not_shared(records, call):
    reads, glance = process(records), await records.glance("g")

    async def read() -> Reading[Shown]:
        await asyncio.sleep(0)
        return Reading(Shown("somewhere"), 0, None)

    answers = await asyncio.gather(*(reads.read(call, glance, read) for _ in range(3)))
    assert answers == [Shown("somewhere"), Shown("somewhere"), None]
