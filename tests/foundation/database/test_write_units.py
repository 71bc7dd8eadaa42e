"""Changes that wait for the last statement of their unit, and units of one statement."""

import asyncio
from contextlib import contextmanager

import pytest
from sqlalchemy import ARRAY, Text, bindparam, func, select
from tests.foundation.database.conftest import NameTaken
from tests.foundation.database.statements_of_things import ADD, COUNT, LOCK, NAMES, SLEEP, things

from midrise.foundation.database import LateInsert, OutcomeUnknown
from midrise.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio

LATER = LateInsert(things, select(bindparam("name", type_=Text)), columns=["name"])
ALL_LATER = LateInsert(things, select(func.unnest(bindparam("names", type_=ARRAY(Text)))), columns=["name"])
ADD_ONE_LATER = LateInsert(
    things,
    select(bindparam("name", type_=Text), func.length("a")),
    columns=["name", "amount"],
    settle=lambda clause: clause.on_conflict_do_update(
        index_elements=["name"], set_={"amount": things.c.amount + clause.excluded.amount}
    ),
)
XID = "SELECT pg_current_xact_id_if_assigned()::text::bigint"


@contextmanager
def asked_of(tx):
    """The statements that the unit's connection sends meanwhile."""
    asked: list[str] = []

    def note(record):
        asked.append(record.query)

    connection = tx._connection  # as the unit of one statement shows it to nobody
    connection.add_query_logger(note)
    try:
        yield asked
    finally:
        connection.remove_query_logger(note)


async def test_what_waits_is_there_with_the_rest(database, names):
    async with database.write() as tx:
        tx.later(LATER, name="cup")
        await tx.execute(ADD, new_name="mug")
        assert await tx.value(COUNT) == 1, "it has not gone yet"
    assert await names() == ["cup", "mug"]


async def test_what_waits_goes_with_its_unit(database, names):
    async def give_up():
        async with database.write() as tx:
            tx.later(LATER, name="cup")
            raise KeyError

    with pytest.raises(KeyError):
        await give_up()
    assert await names() == []


async def test_it_goes_in_one_statement_which_tells_the_transaction(database):
    async with database.write() as tx:
        tx.later(LATER, name="cup")
        tx.later(ALL_LATER, names=["mug", "jug"])
        with asked_of(tx) as asked:
            await tx.insert_waiting()
            xid = await tx.transaction_id()
            await asyncio.sleep(0)
        assert len(asked) == 1
        assert await tx.rows(NAMES) == [("cup",), ("jug",), ("mug",)]
        assert xid == await tx.connection.fetchval(XID)


async def test_any_number_can_wait(database, names):
    wanted = [f"{number:03}" for number in range(101)]
    async with database.write() as tx:
        for name in wanted[:60]:
            tx.later(LATER, name=name)
        assert (await tx.conclude(NAMES))["name"] == wanted[0]
        for name in wanted[60:]:
            tx.later(LATER, name=name)
    assert await names() == wanted


async def test_what_is_wrong_with_it_is_told_as_ever(database, names):
    async def add_twice():
        async with database.write() as tx:
            tx.later(LATER, name="cup")
            await tx.execute(ADD, new_name="cup")

    with pytest.raises(NameTaken):
        await add_twice()
    assert await names() == []


@pytest.mark.parametrize("unit", ["write", "write_single"])
async def test_the_last_statement_decides_on_what_waits(database, names, unit):
    async with database.write() as tx:
        await tx.execute(ADD, new_name="mug")
    for wanted in ("mug", "jug"):
        async with getattr(database, unit)() as tx:
            tx.later(LATER, name=f"beside {wanted}")
            row = await tx.conclude(LOCK, wanted=wanted)
            assert (row and row["name"]) == ({"mug": "mug"}.get(wanted))
    assert await names() == ["beside mug", "mug"]


async def test_a_single_statement_is_all_that_goes_to_the_server(database, names):
    async with database.write() as tx:
        await tx.execute(ADD, new_name="mug")
    async with database.write_single() as tx:
        with asked_of(tx) as asked:
            tx.later(LATER, name="cup")
            tx.later(LATER, name="jug")
            await tx.conclude(LOCK, wanted="mug")
            assert await names() == ["cup", "jug", "mug"], "it is committed by itself"
            await asyncio.sleep(0)
    assert len(asked) == 1


async def test_whatever_is_settled_is_settled_on_the_newest_state(database, onlooker):
    async with database.write() as tx:
        await tx.execute(ADD, new_name="mug")

    async def add_one():
        async with database.write_single() as tx:
            tx.later(ADD_ONE_LATER, name="mug")
            await tx.conclude(LOCK, wanted="mug")

    await asyncio.gather(*(add_one() for _ in range(30)))
    assert await onlooker.fetchval("SELECT amount FROM things") == 30


async def test_a_unit_of_one_statement_has_no_other(database, names):
    async with database.write_single() as tx:
        tx.later(LATER, name="cup")
        for other in (
            tx.rows(NAMES),
            tx.execute(ADD, new_name="mug"),
            tx.transaction_id(),
            tx.insert_waiting(),
            tx.copy("things", columns=("name",), records=[]),
        ):
            with pytest.raises(RuntimeError):
                await other
        with pytest.raises(RuntimeError):
            tx.mark("things")
        with pytest.raises(RuntimeError):
            _ = tx.connection
        await tx.conclude(COUNT)
        with pytest.raises(RuntimeError):
            await tx.conclude(COUNT)


async def test_nothing_that_waits_is_forgotten(database):
    with pytest.raises(RuntimeError):
        async with database.write_single() as tx:
            tx.later(LATER, name="cup")


async def test_what_ends_badly_before_its_statement_is_not_there(database, names):
    async def give_up():
        async with database.write_single() as tx:
            tx.later(LATER, name="cup")
            raise KeyError

    with pytest.raises(KeyError):
        await give_up()
    assert await names() == []


async def test_what_follows_it_runs_after_it(database, names):
    seen: list[list[str]] = []

    async def look():
        seen.append(await names())

    async with database.write_single() as tx:
        tx.after_commit(look)
        tx.later(LATER, name="cup")
        await tx.conclude(COUNT)
    assert seen == [["cup"]]


async def test_a_connection_that_breaks_during_it_leaves_the_outcome_unknown(database, names):
    async def break_off():
        async with database.write_single() as tx:
            tx.later(LATER, name="ends at commit")
            await tx.conclude(COUNT)

    with pytest.raises(OutcomeUnknown):
        await break_off()
    assert await names() == []


async def test_a_statement_that_was_refused_was_not_made(open_database, names):
    database = open_database(statement_timeout_seconds=0.05)

    async def take_long():
        async with database.write_single() as tx:
            tx.later(LATER, name="cup")
            await tx.conclude(SLEEP, seconds=60)

    with pytest.raises(Unavailable) as refused:
        await take_long()
    assert not isinstance(refused.value, OutcomeUnknown)
    assert await names() == []
