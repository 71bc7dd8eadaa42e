"""What units of work learn beside their statements: snapshots, and the ids of transactions."""

import contextlib
from collections.abc import Iterator

import asyncpg
import pytest
from sqlalchemy import bindparam, column, func, insert, select, table, text, union_all, update
from sqlalchemy.dialects.postgresql import insert as upsert

from midrise.foundation.database import Statement
from midrise.foundation.database.positions import Consistency, consistency

pytestmark = pytest.mark.anyio

THINGS = table("things", column("name"), column("amount"))
ADD = Statement(insert(THINGS).values(name=bindparam("new_name"), amount=bindparam("new_amount")))
ADD_AND_TELL = Statement(
    insert(THINGS).values(name=bindparam("new_name")).returning(THINGS.c.name, THINGS.c.amount)
)
ADD_IF_NEW = Statement(
    upsert(THINGS).values(name=bindparam("new_name")).on_conflict_do_nothing(index_elements=["name"])
)
CHANGE = Statement(update(THINGS).values(amount=THINGS.c.amount + 1))
LIST = Statement(select(THINGS.c.name, THINGS.c.amount).order_by(THINGS.c.name.desc()))
FIND = Statement(select(THINGS.c.amount).where(THINGS.c.name == bindparam("wanted")))
COUNT = Statement(select(func.count()).select_from(THINGS))
XID = "SELECT pg_current_xact_id_if_assigned()::text::bigint"


@contextlib.contextmanager
def in_request() -> Iterator[Consistency]:
    """What a request in which the test reads comes to know."""
    request = Consistency()
    before = consistency.set(request)
    try:
        yield request
    finally:
        consistency.reset(before)


async def add(database, *names: str) -> None:
    async with database.write() as tx:
        for number, name in enumerate(names):
            await tx.execute(ADD, new_name=name, new_amount=number)


async def test_an_insert_tells_the_id_of_its_transaction_by_itself(database):
    async with database.write() as tx:
        assert await tx.execute(ADD, new_name="mug", new_amount=1) == 1
        asked: list[str] = []
        tx.connection.add_query_logger(lambda record: asked.append(record.query))
        xid = await tx.transaction_id()
        assert asked == []
        assert xid == await tx.connection.fetchval(XID)


async def test_its_own_columns_come_with_it(database):
    async with database.write() as tx:
        row = await tx.row(ADD_AND_TELL, new_name="mug")
        assert (row["name"], row["amount"]) == ("mug", 0)
        assert await tx.value(ADD_AND_TELL, new_name="cup") == "cup"
        assert await tx.transaction_id() == await tx.connection.fetchval(XID)


async def test_an_insert_that_did_nothing_tells_nothing_and_a_transaction_that_wrote_nothing_gets_an_id(
    database,
):
    await add(database, "mug")
    async with database.write() as tx:
        assert await tx.execute(ADD_IF_NEW, new_name="mug") == 0
        assert await tx.transaction_id() == await tx.connection.fetchval(XID)
        assert await tx.execute(ADD_IF_NEW, new_name="cup") == 1


async def test_other_changes_are_asked_for_their_id_once(database):
    await add(database, "mug", "cup")
    async with database.write() as tx:
        assert await tx.execute(CHANGE) == 2
        first = await tx.transaction_id()
        assert first == await tx.transaction_id() == await tx.connection.fetchval(XID)


async def test_a_read_in_a_request_learns_what_its_snapshot_saw(database, onlooker):
    await add(database, "mug", "cup")
    before = await onlooker.fetchval("SELECT pg_current_xact_id()::text::bigint")
    with in_request() as request:
        async with database.read() as unit:
            assert [row["name"] for row in await unit.rows(LIST)] == ["mug", "cup"]
    # The snapshot may have to wait for others on the server.
    assert request.xmin <= request.next_xid
    assert before < request.next_xid


async def test_who_writes_meanwhile_is_below_the_bound_and_not_below_the_snapshot(database, playground_url):
    await add(database, "mug")
    writer = await asyncpg.connect(playground_url)
    try:
        async with writer.transaction():
            xid = await writer.fetchval("SELECT pg_current_xact_id()::text::bigint")
            with in_request() as request:
                async with database.read() as unit:
                    await unit.rows(LIST)
        assert request.xmin <= xid < request.next_xid
    finally:
        await writer.close()


async def test_where_nothing_is_found_that_is_seen_at_a_place_too(database):
    with in_request() as request:
        async with database.read() as unit:
            assert await unit.rows(LIST) == []
            assert await unit.row(FIND, wanted="mug") is None
            assert await unit.value(FIND, wanted="mug") is None
            assert await unit.value(COUNT) == 0
    assert request.xmin is not None


async def test_rows_stay_in_their_order(database):
    names = [f"{number:04}" for number in range(500)]
    await add(database, *names)
    with in_request():
        async with database.read() as unit:
            assert [row["name"] for row in await unit.rows(LIST)] == names[::-1]


async def test_a_query_of_another_kind_makes_nothing_that_may_be_kept(database):
    both = Statement(union_all(select(THINGS.c.name), select(THINGS.c.name)))
    plain = Statement(text("SELECT 1"))
    with in_request() as request:
        async with database.read() as unit:
            await unit.rows(both)
            assert await unit.value(plain) == 1
            await unit.rows(LIST)
    assert request.xmin == 0
