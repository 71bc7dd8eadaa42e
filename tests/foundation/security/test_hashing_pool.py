"""The threads that hash: bounded, and given back by whoever goes away."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from midrise.foundation.errors import Unavailable
from midrise.foundation.security.hashing_pool import HashingPool

pytestmark = pytest.mark.anyio


class Gate:
    """Work that ends when the test says so, and counts how often it began."""

    def __init__(self) -> None:
        self.begun = 0
        self._open = threading.Event()

    def work(self) -> str:
        self.begun += 1
        assert self._open.wait(timeout=30)
        return "done"

    def open(self) -> None:
        self._open.set()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  threads change it, which set no event of this loop
            await asyncio.sleep(0.001)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def pool():
    pool = HashingPool(workers=2, most_waiting=3)
    yield pool
    pool.close()


async def fill(pool: HashingPool, gate: Gate) -> list[asyncio.Task[str]]:
    tasks = [asyncio.create_task(pool.run(gate.work)) for _ in range(5)]
    await until(lambda: gate.begun == 2 and pool.taken == 5)
    return tasks


async def test_only_so_many_work_and_wait_and_the_next_is_told_to_come_back(pool, gate):
    tasks = await fill(pool, gate)
    with pytest.raises(Unavailable) as refused:
        await pool.run(gate.work)
    assert refused.value.retry_after_seconds >= 1
    gate.open()
    assert await asyncio.gather(*tasks) == ["done"] * 5
    assert gate.begun == 5


async def test_the_event_loop_goes_on_while_all_threads_work(pool, gate):
    tasks = await fill(pool, gate)
    assert await asyncio.create_task(asyncio.sleep(0, "alive")) == "alive"
    gate.open()
    await asyncio.gather(*tasks)


async def test_a_waiter_that_goes_away_frees_its_place_at_once(pool, gate):
    tasks = await fill(pool, gate)
    for waiter in tasks[2:]:
        waiter.cancel()
    await asyncio.wait(tasks[2:])
    assert pool.taken == 2
    late = asyncio.create_task(pool.run(lambda: "late"))
    gate.open()
    assert await late == "late"
    assert gate.begun == 2


async def test_one_that_goes_away_while_it_is_worked_on_keeps_the_place_until_the_work_ends(pool, gate):
    tasks = await fill(pool, gate)
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    assert pool.taken == 5
    gate.open()
    await asyncio.gather(*tasks[1:])
    await until(lambda: pool.taken == 0)


async def test_a_crowd_that_comes_and_goes_leaves_nothing(pool):
    async def come_and_go(number: int) -> None:
        task = asyncio.create_task(pool.run(lambda: number))
        await asyncio.sleep(0)
        if number % 3 == 0:
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or isinstance(task.exception(), Unavailable) or task.result() == number

    await asyncio.gather(*(come_and_go(number) for number in range(500)))
    await until(lambda: pool.taken == 0)


async def test_work_that_fails_frees_its_place(pool):
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await pool.run(fail)
    await until(lambda: pool.taken == 0)


async def test_a_closed_pool_is_unavailable(pool):
    pool.close()
    with pytest.raises(Unavailable):
        await pool.run(lambda: None)
    assert pool.taken == 0
