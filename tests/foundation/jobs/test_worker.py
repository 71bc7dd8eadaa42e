"""Jobs run at their times, whatever became of the run before, and the one that runs is finished."""

import asyncio

import asyncpg
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from tests.foundation.waiting import until

from midrise.foundation.errors import Unavailable
from midrise.foundation.jobs import Job

pytestmark = pytest.mark.anyio

EVERY_SECOND = "* * * * * *"
WORKER = "midrise test jobs"  # as conftest.py names it


class Work:
    """What a job does, as the test wants it."""

    def __init__(self, name: str, *, fails: bool = False, waits: bool = False) -> None:
        self.job = Job(name, EVERY_SECOND, self.run)
        self.begun = self.ended = 0
        self.may_end = asyncio.Event()
        self._fails = fails
        if not waits:
            self.may_end.set()

    async def run(self) -> None:
        self.begun += 1
        await self.may_end.wait()
        self.ended += 1
        if self._fails:
            raise RuntimeError("the job failed")

    def counted(self, outcome: str) -> float:
        labels = {"name": self.job.name, "outcome": outcome}
        return REGISTRY.get_sample_value("midrise_jobs_total", labels) or 0


async def test_a_job_that_fails_is_counted_and_runs_again(start):
    work, other = Work("test.failing", fails=True), Work("test.beside")
    await start(work.job, other.job)
    await until(lambda: work.ended >= 2 and other.ended >= 1)
    assert work.counted("failed") >= 1
    assert work.counted("done") == 0
    assert other.counted("done") >= 1


async def test_a_job_that_runs_is_finished_before_the_end(start):
    work = Work("test.long", waits=True)
    _, stop = await start(work.job)
    await until(lambda: work.begun == 1)
    stopped = asyncio.create_task(stop())
    await asyncio.sleep(0)
    work.may_end.set()
    await stopped
    assert work.ended == 1


async def test_a_worker_whose_connection_breaks_makes_another(start, emptier: asyncpg.Connection):
    work = Work("test.survivor")
    worker, _ = await start(work.job)
    await until(lambda: work.ended >= 1)
    ended = await emptier.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1", WORKER
    )
    assert ended
    before = work.ended
    await until(lambda: work.ended > before)
    await worker.check()


async def test_a_worker_without_a_database_is_not_ready_and_can_be_stopped(start):
    with capture_logs() as lines:
        worker, stop = await start(url="postgresql://nobody@/nothing?host=/nowhere")
        await until(lambda: len(lines) > 2)
        with pytest.raises(Unavailable):
            await worker.check()
        await stop()
    assert {line["event"] for line in lines} == {"worker.interrupted"}


async def test_a_worker_is_ready_when_it_is_connected(start):
    worker, stop = await start(Work("test.ready").job)
    await until(lambda: worker.is_connected)
    await worker.check()
    await stop()
    with pytest.raises(Unavailable):
        await worker.check()
