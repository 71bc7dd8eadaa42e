"""Units of work: one transaction that is there whole or not at all, and readers that can't write."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from tests.foundation.database.conftest import NameTaken, ShelfTaken
from tests.foundation.database.locks import no_locks_on_things
from tests.foundation.database.statements_of_things import (
    ADD,
    ADD_AMOUNT,
    ADD_ON_SHELF,
    COUNT,
    END_BACKEND,
    LOCK,
    NAMES,
    PID,
    SLEEP,
)
from tests.foundation.waiting import until

from midrise.foundation.database import OutcomeUnknown, ReadUnit, Statement
from midrise.foundation.errors import NotFound, Unavailable
from midrise.foundation.http.errors import status_of

pytestmark = pytest.mark.anyio


async def test_what_ends_well_is_there(database, names):
    async with database.write() as tx:
        assert await tx.execute(ADD, new_name="mug") == 1
        assert await tx.execute(ADD, new_name="cup") == 1
        assert await names() == [], "nobody else sees it before the end"
    assert await names() == ["cup", "mug"]


async def test_the_transaction_is_one(database):
    transaction_id = Statement(text("SELECT pg_current_xact_id()::text"))
    async with database.write() as tx:
        first = await tx.value(transaction_id)
        await tx.execute(ADD, new_name="mug")
        assert await tx.value(transaction_id) == first


@pytest.mark.parametrize("error", [NotFound("thing"), RuntimeError("a bug"), asyncio.CancelledError()])
async def test_what_ends_badly_is_not_there(database, names, error):
    async def work():
        async with database.write() as tx:
            await tx.execute(ADD, new_name="mug")
            raise error

    with pytest.raises(type(error)):
        await work()
    assert await names() == []


async def test_a_cancelled_unit_leaves_nothing_behind(open_database, onlooker, names):
    database = open_database(largest_size=1)
    added = asyncio.Event()

    async def work():
        async with database.write() as tx:
            await tx.execute(ADD, new_name="mug")
            added.set()
            await tx.value(SLEEP, seconds=60)

    task = asyncio.create_task(work())
    await added.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.write() as tx:
        await tx.execute(ADD, new_name="mug")
    assert await names() == ["mug"]
    await until(no_locks_on_things(onlooker))


async def test_what_follows_a_commit_runs_after_it_in_order(database, names):
    seen = []

    async def first():
        seen.append(await names())

    async def second():
        seen.append("second")

    async with database.write() as tx:
        tx.after_commit(first)
        tx.after_commit(second)
        await tx.execute(ADD, new_name="mug")
        assert seen == []
    assert seen == [["mug"], "second"]


async def test_nothing_follows_a_roll_back(database):
    async def never():
        pytest.fail("nothing was committed")

    async def work():
        async with database.write() as tx:
            tx.after_commit(never)
            raise NotFound

    with pytest.raises(NotFound):
        await work()


async def test_what_fails_after_the_commit_undoes_nothing(database, names):
    seen = []

    async def fail():
        raise RuntimeError("the cache is away")

    async def follow():
        seen.append("followed")

    async with database.write() as tx:
        tx.after_commit(fail)
        tx.after_commit(follow)
        await tx.execute(ADD, new_name="mug")
    assert await names() == ["mug"]
    assert seen == ["followed"]


async def test_a_reader_sees_what_is_committed(database):
    async with database.read() as unit:
        assert await unit.value(COUNT) == 0
        async with database.write() as tx:
            await tx.execute(ADD, new_name="mug")
        assert await unit.value(COUNT) == 1
        assert [row["name"] for row in await unit.rows(NAMES)] == ["mug"]
        assert (await unit.row(NAMES))["name"] == "mug"


async def test_a_reader_has_no_way_to_write(database, names):
    assert not hasattr(ReadUnit, "execute")
    with pytest.raises(Unavailable) as refused:
        async with database.read() as unit:
            await unit.rows(ADD, new_name="mug")
    assert isinstance(refused.value.__cause__, asyncpg.ReadOnlySQLTransactionError)
    assert await names() == []


async def test_a_reader_that_asks_nothing_takes_no_connection(open_database):
    database = open_database(largest_size=1, acquire_timeout_seconds=0.05)
    async with database.read(), database.read() as unit:
        assert await unit.value(COUNT) == 0


async def test_a_read_is_repeated_when_its_connection_breaks(database):
    async with database.read() as unit:
        first = await unit.value(PID)
        assert await unit.value(END_BACKEND, pid=first) is None
        assert await unit.value(PID) != first


async def test_a_read_is_repeated_once(database):
    end_any_backend = Statement(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with pytest.raises(Unavailable):
        async with database.read() as unit:
            await unit.value(end_any_backend)


async def test_a_write_is_never_repeated(database, names):
    async def work():
        async with database.write() as tx:
            await tx.execute(ADD, new_name="mug")
            await tx.value(END_BACKEND, pid=await tx.value(PID))

    with pytest.raises(Unavailable) as refused:
        await work()
    assert not isinstance(refused.value, OutcomeUnknown), "nothing was committed: that is known"
    assert await names() == []


async def test_a_connection_that_breaks_during_the_commit_leaves_the_outcome_unknown(database, names):
    with pytest.raises(OutcomeUnknown):
        async with database.write() as tx:
            await tx.execute(ADD, new_name="ends at commit")
    assert await names() == []
    assert status_of(OutcomeUnknown) == 503


async def test_a_statement_that_takes_too_long_is_unavailable(open_database):
    database = open_database(statement_timeout_seconds=0.05)
    for unit_of in (database.read, database.write):
        with pytest.raises(Unavailable):
            async with unit_of() as unit:
                await unit.value(SLEEP, seconds=60)


async def test_a_lock_that_is_held_too_long_is_unavailable(open_database):
    database = open_database(lock_timeout_seconds=0.05)
    async with database.write() as tx:
        await tx.execute(ADD, new_name="mug")
    async with database.write() as holder:
        await holder.value(LOCK, wanted="mug")
        with pytest.raises(Unavailable):
            async with database.write() as waiter:
                await waiter.value(LOCK, wanted="mug")


async def test_of_two_that_wait_for_each_other_one_ends(database):
    async with database.write() as tx:
        await tx.execute(ADD, new_name="cup")
        await tx.execute(ADD, new_name="mug")
    holding = asyncio.Barrier(2)

    async def lock_both(first: str, second: str) -> None:
        async with database.write() as tx:
            await tx.value(LOCK, wanted=first)
            await holding.wait()
            await tx.value(LOCK, wanted=second)

    outcomes = await asyncio.gather(lock_both("cup", "mug"), lock_both("mug", "cup"), return_exceptions=True)
    assert sorted(type(outcome) for outcome in outcomes if outcome) == [Unavailable]


async def test_a_database_without_a_place_for_one_more_is_unavailable(open_database, onlooker):
    name = await onlooker.fetchval("SELECT current_database()")
    await onlooker.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
    try:
        with pytest.raises(Unavailable):
            await open_database().check()
    finally:
        await onlooker.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")


async def test_a_violated_constraint_is_the_error_that_was_registered_under_its_name(database):
    async with database.write() as tx:
        await tx.execute(ADD, new_name="mug")
    with pytest.raises(NameTaken):
        async with database.write() as tx:
            await tx.execute(ADD, new_name="mug")


async def test_so_is_one_that_is_checked_at_the_commit(database, names):
    async with database.write() as tx:
        await tx.execute(ADD_ON_SHELF, new_name="mug", new_shelf="top")
    with pytest.raises(ShelfTaken):
        async with database.write() as tx:
            assert await tx.execute(ADD_ON_SHELF, new_name="cup", new_shelf="top") == 1
    assert await names() == ["mug"]


async def test_a_constraint_that_nobody_registered_is_a_bug(database):
    with pytest.raises(asyncpg.CheckViolationError):
        async with database.write() as tx:
            await tx.execute(ADD_AMOUNT, new_name="mug", new_amount=-1)


async def test_a_bug_does_not_show_the_row_that_it_happened_to(database):
    with pytest.raises(asyncpg.CheckViolationError) as bug:
        async with database.write() as tx:
            await tx.execute(ADD_AMOUNT, new_name="canary", new_amount=-1)
    assert "ck_things_amount" in str(bug.value)
    assert "canary" not in str(bug.value)


async def test_a_wrong_statement_is_a_bug(database):
    with pytest.raises(asyncpg.UndefinedTableError):
        async with database.read() as unit:
            await unit.rows(Statement(text("SELECT * FROM nowhere")))


async def test_rows_are_loaded_by_copy(database, names):
    async with database.write() as tx:
        records = [(f"mug {number}", number) for number in range(3)]
        assert await tx.copy("things", columns=("name", "amount"), records=records) == 3
    assert await names() == ["mug 0", "mug 1", "mug 2"]


async def test_a_copy_that_breaks_a_rule_is_its_error(database, names):
    with pytest.raises(NameTaken):
        async with database.write() as tx:
            await tx.copy("things", columns=("name",), records=[("mug",), ("mug",)])
    assert await names() == []
