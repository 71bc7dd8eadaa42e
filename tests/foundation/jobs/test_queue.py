"""What a change asks for is done at least once if it is committed, and never if it is not."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import asyncpg
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from tests.foundation.waiting import until

from midrise.foundation.database import Database
from midrise.foundation.errors import Unavailable
from midrise.foundation.jobs import (
    Hopeless,
    JobHandler,
    PgQueuerJobs,
    QueuedJob,
    Retries,
    forget_old_jobs,
)

pytestmark = pytest.mark.anyio

AT_ONCE = Retries(most_attempts=3, first_pause_seconds=0)


@dataclass(frozen=True, slots=True)
class Greeting(QueuedJob):
    name: ClassVar[str] = "test.greeting"

    whom: str


class Greeter:
    """Counts whom it greeted; fails as often as it is told to."""

    def __init__(self, *, failures: int = 0, error: Exception | None = None) -> None:
        self.greeted: Counter[str] = Counter()
        self.attempts = 0
        self._failures = failures
        self._error = error or RuntimeError("a secret address")

    async def greet(self, job: Greeting) -> None:
        self.attempts += 1
        if self.attempts <= self._failures:
            raise self._error
        self.greeted[job.whom] += 1

    def handler(self, retries: Retries = AT_ONCE) -> JobHandler[Greeting]:
        return JobHandler(Greeting, self.greet, retries)


async def ask(database: Database, *whom: str, then: Callable[[], object] = bool) -> None:
    async with database.write() as tx:
        for each in whom:
            await PgQueuerJobs().enqueue(tx, Greeting(each))
        then()


def counted(outcome: str) -> float:
    labels = {"name": Greeting.name, "outcome": outcome}
    return REGISTRY.get_sample_value("midrise_jobs_total", labels) or 0


async def statuses(connection: asyncpg.Connection) -> list[str]:
    return [row["status"] for row in await connection.fetch("SELECT status::text FROM pgqueuer")]


async def test_a_committed_change_has_its_jobs_done(database, start, emptier):
    greeter = Greeter()
    await start(handlers=[greeter.handler()])
    await ask(database, "Rahima", "করিম")
    await until(lambda: greeter.greeted == {"Rahima": 1, "করিম": 1})

    async def is_empty() -> bool:
        return await statuses(emptier) == []

    await until(is_empty)


async def test_a_change_that_is_rolled_back_asks_for_nothing(database, start, emptier):
    greeter = Greeter()
    with pytest.raises(ZeroDivisionError):
        await ask(database, "nobody", then=lambda: 1 // 0)
    assert await statuses(emptier) == []
    await start(handlers=[greeter.handler()])
    await ask(database, "somebody")
    await until(lambda: greeter.greeted["somebody"] == 1)
    assert greeter.greeted == {"somebody": 1}


async def test_jobs_that_were_asked_for_without_a_worker_wait_for_one(database, start):
    greeter = Greeter()
    await ask(database, "early")
    await start(handlers=[greeter.handler()])
    await until(lambda: greeter.greeted["early"] == 1)


async def test_two_workers_share_the_jobs(database, start):
    greeter = Greeter()
    await start(handlers=[greeter.handler()])
    await start(handlers=[greeter.handler()])
    await ask(database, *map(str, range(40)))
    await until(lambda: len(greeter.greeted) == 40)
    assert set(greeter.greeted.values()) == {1}


async def test_a_job_that_fails_is_tried_again(database, start):
    greeter = Greeter(failures=2)
    await start(handlers=[greeter.handler()])
    failed = counted("failed")
    await ask(database, "at last")
    await until(lambda: greeter.greeted["at last"] == 1)
    assert greeter.attempts == 3
    assert counted("failed") == failed + 2


def test_the_pauses_grow_to_an_hour_and_last_for_a_day():
    retries = Retries()
    pauses = [retries.pause_seconds(attempts) for attempts in range(1, retries.most_attempts)]
    assert pauses[:4] == [2, 4, 8, 16]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 3600
    assert 23 <= sum(pauses) / 3600 <= 25
    assert Retries(most_attempts=10_000).pause_seconds(9_999) == 3600


async def test_a_job_waits_for_its_pause(database, start, emptier):
    greeter = Greeter(failures=1)
    await start(handlers=[greeter.handler(Retries(first_pause_seconds=600))])
    await ask(database, "later")

    async def is_waiting() -> bool:
        return bool(
            await emptier.fetch(
                "SELECT FROM pgqueuer WHERE status = 'queued' AND attempts = 1"
                " AND execute_after > now() + interval '500 seconds'"
            )
        )

    await until(is_waiting)
    assert greeter.attempts == 1


@pytest.mark.parametrize("error", [RuntimeError("a secret address"), Hopeless("nobody lives there")])
async def test_who_gives_up_says_so_and_keeps_the_job(database, start, emptier, error):
    greeter = Greeter(failures=99, error=error)
    given_up = counted("given_up")
    with capture_logs() as lines:
        await start(handlers=[greeter.handler()])
        await ask(database, "never")

        async def is_kept() -> bool:
            return await statuses(emptier) == ["failed"]

        await until(is_kept)
    assert greeter.attempts == (1 if isinstance(error, Hopeless) else 3)
    assert counted("given_up") == given_up + 1
    assert [line["log_level"] for line in lines if line["event"] == "job.given_up"] == ["error"]
    kept = await emptier.fetch("SELECT traceback::text FROM pgqueuer_log WHERE traceback IS NOT NULL")
    assert kept
    assert not any("secret address" in row["traceback"] for row in kept)


async def test_a_job_whose_worker_loses_its_connection_is_not_lost(database, start, emptier):
    greeter, begun, may_end = Greeter(), asyncio.Event(), asyncio.Event()

    async def greet(job: Greeting) -> None:
        begun.set()
        await may_end.wait()
        await greeter.greet(job)

    await start(handlers=[JobHandler(Greeting, greet, AT_ONCE)])
    await ask(database, "patient")
    await asyncio.wait_for(begun.wait(), 20)
    await emptier.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'midrise test jobs'"
    )
    may_end.set()

    async def is_done() -> bool:
        return greeter.greeted["patient"] >= 1 and await statuses(emptier) == []

    await until(is_done)


async def test_a_job_is_finished_before_the_end(database, start, emptier):
    greeter, begun, may_end = Greeter(), asyncio.Event(), asyncio.Event()

    async def greet(job: Greeting) -> None:
        begun.set()
        await may_end.wait()
        await greeter.greet(job)

    _, stop = await start(handlers=[JobHandler(Greeting, greet, AT_ONCE)])
    await ask(database, "the last one")
    await asyncio.wait_for(begun.wait(), 20)
    stopped = asyncio.create_task(stop())
    await asyncio.sleep(0)
    may_end.set()
    await stopped
    assert greeter.greeted == {"the last one": 1}
    assert await statuses(emptier) == []


async def test_whoever_can_not_ask_learns_that_the_service_is_away(database, emptier):
    async def ask_on_a_broken_connection() -> None:
        async with database.write() as tx:
            pid = await tx.connection.fetchval("SELECT pg_backend_pid()")
            await emptier.fetch("SELECT pg_terminate_backend($1)", pid)
            await PgQueuerJobs().enqueue(tx, Greeting("nobody"))

    with pytest.raises(Unavailable):
        await ask_on_a_broken_connection()


async def test_what_became_of_jobs_is_forgotten_in_time(database, start, emptier):
    greeter = Greeter(failures=1, error=Hopeless("no"))
    await start(handlers=[greeter.handler()])
    await ask(database, "held")

    async def is_kept() -> bool:
        return await statuses(emptier) == ["failed"]

    await until(is_kept)
    await forget_old_jobs(database)
    assert await statuses(emptier) == ["failed"]
    assert await emptier.fetch("SELECT FROM pgqueuer_log")
    await emptier.execute("UPDATE pgqueuer SET updated = now() - interval '31 days'")
    await emptier.execute("UPDATE pgqueuer_log SET created = now() - interval '8 days'")
    await forget_old_jobs(database)
    assert await statuses(emptier) == []
    assert await emptier.fetch("SELECT FROM pgqueuer_log") == []
