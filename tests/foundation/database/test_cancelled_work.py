"""Requests that go away give everything back."""

import asyncio

import pytest
from tests.foundation.database.locks import no_locks_on_things
from tests.foundation.database.statements_of_things import ADD, SLEEP
from tests.foundation.waiting import until

pytestmark = pytest.mark.anyio


async def test_two_hundred_requests_that_go_away_leave_nothing_behind(open_database, onlooker, names):
    database = open_database(largest_size=3)

    async def work(number: int) -> None:
        async with database.write() as tx:
            await tx.execute(ADD, new_name=f"mug {number}")
            await tx.value(SLEEP, seconds=60)

    tasks = [asyncio.create_task(work(number)) for number in range(200)]
    await until(lambda: database.nodes.primary.write_pool.in_use == 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: database.nodes.primary.write_pool.in_use == 0)
    await until(no_locks_on_things(onlooker))
    assert await names() == []
