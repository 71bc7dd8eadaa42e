import asyncio

import pytest
from sqlalchemy import BigInteger, bindparam, func, select

from midrise.foundation.database import Database, PoolSettings, Statement, WriteUnit
from midrise.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio

LOCK = Statement(select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger))))


@pytest.fixture
async def database(database_url):
    database = Database.on_one_server(PoolSettings(database_url, "tests write once"))
    yield database
    await database.close()


async def test_work_that_fell_to_a_deadlock_is_done_again(database: Database):
    both_hold_one = asyncio.Barrier(2)
    tries: list[int] = []

    def locking(first: int, second: int):
        async def work(tx: WriteUnit) -> int:
            tries.append(first)
            await tx.value(LOCK, number=first)
            if len(tries) <= 2:
                await both_hold_one.wait()
            await tx.value(LOCK, number=second)
            return first

        return work

    done = await asyncio.gather(
        database.write_once(None, int, locking(1, 2)), database.write_once(None, int, locking(2, 1))
    )
    assert done == [1, 2]
    assert len(tries) == 3


async def test_other_trouble_is_told_at_once(database: Database):
    tries = 0

    async def fail(tx: WriteUnit) -> None:
        nonlocal tries
        tries += 1
        raise Unavailable

    with pytest.raises(Unavailable):
        await database.write_once(None, type(None), fail)
    assert tries == 1
