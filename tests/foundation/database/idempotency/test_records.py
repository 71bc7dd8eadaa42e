"""What the gateway sends twice is done once: the twin waits for the first, and gives its outcome."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
from tests.foundation.waiting import until

from midrise.foundation.database import Database, OutcomeUnknown, PoolSettings, WriteUnit
from midrise.foundation.database.idempotency import Attempt, AttemptRecords, IdempotencyKeyReused
from midrise.foundation.database.nodes import Nodes
from midrise.foundation.errors import NotFound
from midrise.foundation.security.secrets import MasterSecret

pytestmark = pytest.mark.anyio

PROCESS = "tests twins"


@pytest.fixture
async def open_database(database_url: str, master_secret: str) -> AsyncIterator[Callable[..., Database]]:
    """Makes databases that keep records, as those of two instances would."""
    opened: list[Database] = []

    def make(master: MasterSecret | None = None, **settings: float) -> Database:
        pool = PoolSettings(database_url, PROCESS, **settings)
        opened.append(
            Database(
                nodes=Nodes.of(pool, reading=pool),
                constraint_errors={},
                attempts=AttemptRecords(master or MasterSecret.from_text(master_secret)),
            )
        )
        return opened[-1]

    yield make
    for database in opened:
        await database.close()


class Work:
    """Counts how often it is done, and can be held up in the middle."""

    def __init__(self, outcome: str | Exception | None = "done") -> None:
        self.times = 0
        self.is_held = False
        self.free = asyncio.Event()
        self._outcome = outcome

    async def __call__(self, _: WriteUnit) -> str | None:
        self.times += 1
        self.is_held = True
        await self.free.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


def done_at_once(outcome: str | None = "done") -> Work:
    work = Work(outcome)
    work.free.set()
    return work


def failing(outcome: Exception) -> Work:
    work = Work(outcome)
    work.free.set()
    return work


def sent(
    key: str = "f" * 32,
    *,
    scope: str = "user:1",
    target: str = "DELETE /v1/roles/clerk?",
    body: bytes = b"",
    of_gateway: bool = True,
) -> Attempt:
    attempt = Attempt(scope=scope, key=key, target=target, of_gateway=of_gateway)
    attempt.add_body(body)
    return attempt


def somebody_waits(onlooker: asyncpg.Connection) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        question = "SELECT wait_event_type FROM pg_stat_activity WHERE application_name = $1"
        return "Lock" in [row[0] for row in await onlooker.fetch(question, PROCESS)]

    return ask


@pytest.mark.parametrize("outcome", ["done", None])
async def test_a_twin_gets_the_outcome_of_the_first_and_does_nothing(open_database, outcome):
    first, twin = done_at_once(outcome), done_at_once("something else")
    kind = str if outcome else type(None)
    assert await open_database().write_once(sent(), kind, first) == outcome
    attempt = sent()
    assert await open_database().write_once(attempt, kind, twin) == outcome
    assert (first.times, twin.times) == (1, 0)
    assert attempt.replayed


async def test_a_twin_of_one_that_is_under_way_waits_for_it(open_database, emptier):
    work, twin = Work(), done_at_once("something else")
    running = asyncio.create_task(open_database().write_once(sent(), str, work))
    await until(lambda: work.is_held)
    waiting = asyncio.create_task(open_database().write_once(sent(), str, twin))
    await until(somebody_waits(emptier))
    work.free.set()
    assert await asyncio.gather(running, waiting) == ["done", "done"]
    assert (work.times, twin.times) == (1, 0)


async def test_a_twin_of_one_that_was_rolled_back_does_the_work(open_database, emptier):
    work, twin = Work(NotFound("role")), done_at_once()
    running = asyncio.create_task(open_database().write_once(sent(), str, work))
    await until(lambda: work.is_held)
    waiting = asyncio.create_task(open_database().write_once(sent(), str, twin))
    await until(somebody_waits(emptier))
    work.free.set()
    with pytest.raises(NotFound):
        await running
    assert await waiting == "done"
    assert twin.times == 1


async def test_a_twin_that_has_waited_too_long_says_that_it_knows_nothing(open_database):
    work, twin = Work(), done_at_once()
    running = asyncio.create_task(open_database().write_once(sent(), str, work))
    await until(lambda: work.is_held)
    with pytest.raises(OutcomeUnknown):
        await open_database(lock_timeout_seconds=0.01).write_once(sent(), str, twin)
    assert twin.times == 0
    work.free.set()
    assert await running == "done"


@pytest.mark.parametrize(
    "other",
    [
        {"key": "e" * 32},
        {"scope": "user:2"},
        {"target": "DELETE /v1/roles/packer?"},
        {"target": "PUT /v1/roles/clerk?"},
        {"body": b"{}"},
    ],
    ids=str,
)
async def test_who_differs_in_anything_is_no_twin(open_database, other):
    database, work = open_database(), done_at_once()
    await database.write_once(sent(), str, work)
    await database.write_once(sent(**other), str, work)
    assert work.times == 2


async def test_a_client_can_not_name_what_the_gateway_sent(open_database):
    """Nor the other way round: the same key means another record."""
    database, work = open_database(), done_at_once()
    await database.write_once(sent(), str, work)
    await database.write_once(sent(of_gateway=False), str, work)
    assert work.times == 2


@pytest.mark.parametrize("outcome", [NotFound("product"), None])
async def test_who_was_refused_for_what_a_twin_had_just_made_gets_the_twins_outcome(
    open_database, emptier, outcome
):
    """The claim sees the records of a moment before it has the lock: a twin may have ended in between."""
    database, of_twin = open_database(), done_at_once("of the twin")
    await database.write_once(sent(of_gateway=False), str, of_twin)
    record = await emptier.fetchrow("DELETE FROM idempotency_keys RETURNING *")

    async def work(_: WriteUnit) -> str:
        await emptier.execute("INSERT INTO idempotency_keys VALUES ($1, $2, $3, $4)", *record)
        if outcome:
            raise outcome
        return "of both"

    attempt = sent(of_gateway=False)
    assert await database.write_once(attempt, str, work) == "of the twin"
    assert attempt.replayed


async def test_who_was_refused_on_the_merits_stays_so(open_database):
    database = open_database()
    with pytest.raises(NotFound):
        await database.write_once(sent(of_gateway=False), str, failing(NotFound("product")))


async def test_after_ten_minutes_a_record_counts_no_more_and_is_removed(open_database, emptier):
    database, work = open_database(), done_at_once()
    await database.write_once(sent(), str, work)
    left = await emptier.fetchval("SELECT expires_at - now() FROM idempotency_keys")
    assert 540 < left.total_seconds() <= 600
    await emptier.execute("UPDATE idempotency_keys SET expires_at = now()")
    await database.write_once(sent(), str, work)
    assert work.times == 2
    await emptier.execute("UPDATE idempotency_keys SET expires_at = now()")
    await database.purge_attempts()
    assert await emptier.fetchval("SELECT count(*) FROM idempotency_keys") == 0


@pytest.mark.parametrize("was_emptied", [False, True])
async def test_however_many_have_had_their_time_only_those_are_removed(open_database, emptier, was_emptied):
    many = (
        "INSERT INTO idempotency_keys (id, fingerprint, sealed_result, expires_at)"
        " SELECT int4send(n), '', '', now() + CASE WHEN n > 12000 THEN interval '1 hour' ELSE '0' END"
        " FROM generate_series(1, 12003) AS n"
    )
    if was_emptied:
        # Then the planner takes the table for one of no rows until it is looked through again.
        await emptier.execute(many)
        await emptier.execute("DELETE FROM idempotency_keys")
        await emptier.execute("VACUUM (TRUNCATE OFF) idempotency_keys")
    await emptier.execute(many)
    await open_database().purge_attempts()
    assert await emptier.fetchval("SELECT count(*) FROM idempotency_keys") == 3


async def test_what_is_kept_of_a_repeatable_call_is_sealed(open_database, emptier):
    await open_database().write_once(sent(), str, done_at_once("very particular words"))
    sealed = await emptier.fetchval("SELECT sealed_result FROM idempotency_keys")
    assert sealed
    assert b"very particular words" not in sealed


async def test_the_fingerprint_of_a_body_can_not_be_made_without_the_secret(open_database, emptier):
    """A body can hold a password: a digest that anybody can compute would let them try many."""
    attempt = sent(of_gateway=False, body=b"a password")
    await open_database().write_once(attempt, str, done_at_once())
    stored = await emptier.fetchval("SELECT fingerprint FROM idempotency_keys")
    assert stored not in {attempt.fingerprint, sent(body=b"a password").fingerprint}


async def test_a_record_is_known_after_a_change_of_secret(open_database, master_secret):
    old = MasterSecret.from_text(master_secret)
    work = done_at_once()
    changed = open_database(MasterSecret(secrets.token_bytes(32), previous=[old]))
    await open_database().write_once(sent(of_gateway=False), str, work)
    assert await changed.write_once(sent(of_gateway=False), str, work) == "done"
    assert work.times == 1
    with pytest.raises(IdempotencyKeyReused):
        await changed.write_once(sent(of_gateway=False, body=b"other"), str, work)


async def test_what_was_done_can_be_asked_before(open_database):
    database = open_database()
    assert not await database.was_done(None, str)
    assert not await database.was_done(sent(of_gateway=False), str)
    await database.write_once(sent(of_gateway=False), str, done_at_once())
    attempt = sent(of_gateway=False)
    assert await database.was_done(attempt, str)
    assert attempt.replayed
