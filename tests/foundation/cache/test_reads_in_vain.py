"""A thousand who ask at once, and readings that come to nothing: how many those are, and what each gets."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from tests.foundation.cache.remembered import Shown, process
from tests.foundation.waiting import until

from midrise.foundation.cache.reads import Reading
from midrise.foundation.errors import Unauthenticated, Unavailable

pytestmark = pytest.mark.anyio

AT_ONCE = 1000
Ask = Callable[[Callable[[], Awaitable[Reading[Shown]]]], Awaitable[Shown | None]]
KEPT, NOTHING, FAILURE = (
    Reading(Shown("it"), 10, 10),
    Reading[Shown](None),
    Reading[Shown](None, is_failure=True),
)


@pytest.fixture(params=["read", "read_in_rounds"])
async def ask(request, records, call) -> Ask:
    """Both ways to share a reading."""
    reads, glance = process(records), await records.glance("g")
    if request.param == "read":
        return lambda read: reads.read(call, glance, read)
    return lambda read: reads.read_in_rounds(call, read)


class Ends:
    """A source whose readings end as the test says, and all that follow like the last; it counts them."""

    def __init__(self, *ends: Reading[Shown] | Exception) -> None:
        self._ends = list(ends)
        self.asked = self.asking = self.most_asking = 0
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def read(self) -> Reading[Shown]:
        end = self._ends.pop(0) if len(self._ends) > 1 else self._ends[0]
        self.asked += 1
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        try:
            await asyncio.sleep(0)
            await self.may_end.wait()
        finally:
            self.asking -= 1
        if isinstance(end, Exception):
            raise end
        return end


async def crowd(ask: Ask, ends: Ends) -> Counter[str]:
    """What each of a thousand gets."""
    outcomes = await asyncio.gather(*(ask(ends.read) for _ in range(AT_ONCE)), return_exceptions=True)
    return Counter(got.text if isinstance(got, Shown) else type(got).__name__ for got in outcomes)


@pytest.mark.parametrize("error", [OSError("broken"), TimeoutError(), Unavailable()])
async def test_d12_two_readings_that_raise_send_nobody_on_to_the_database(ask, error):
    ends = Ends(error)
    got = await crowd(ask, ends)
    assert ends.asked == 2
    assert got == Counter([type(error).__name__] * 2) + Counter(Unavailable=AT_ONCE - 2)


async def test_d12_two_readings_that_fail_send_nobody_on_to_the_database(ask):
    ends = Ends(FAILURE)
    got = await crowd(ask, ends)
    assert ends.asked == 2
    # Who read knows what came of it.
    assert got == {"NoneType": 2, "Unavailable": AT_ONCE - 2}


async def test_who_comes_after_a_failure_does_not_inherit_it(ask):
    ends = Ends(FAILURE, FAILURE, KEPT)
    await crowd(ask, ends)
    assert await ask(ends.read) == KEPT.value


async def test_after_one_failure_the_next_reads_for_all(ask):
    ends = Ends(FAILURE, KEPT)
    assert await crowd(ask, ends) == {"NoneType": 1, "it": AT_ONCE - 1}
    assert ends.asked == 2


async def test_d12_leaders_that_are_cancelled_one_after_the_other_leave_it_to_the_next(ask):
    ends = Ends(KEPT)
    ends.may_end.clear()
    tasks = [asyncio.create_task(ask(ends.read)) for _ in range(AT_ONCE)]
    for number in range(5):
        await until(lambda asked=number + 1: ends.asked == asked)
        tasks[number].cancel()
    ends.may_end.set()
    assert await asyncio.gather(*tasks[5:]) == [KEPT.value] * (AT_ONCE - 5)
    assert (ends.asked, ends.most_asking) == (6, 1)


@pytest.mark.parametrize("end", [NOTHING, Unauthenticated()])
async def test_for_what_is_never_shared_nobody_waits_behind_a_row_of_readings(ask, end):
    ends = Ends(end)
    got = await crowd(ask, ends)
    assert ends.asked == 2
    assert got["NoneType"] >= AT_ONCE - 2
