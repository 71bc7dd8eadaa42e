"""A worker in a process of its own, which stops at a step until it is killed.

``greeting_worker.py URL FILE STEP``: writes a line into the file for each greeting, and says on standard output
when it stands at the step: ``idle`` (nothing taken yet), ``taken`` (before the effect), ``done`` (behind the
effect, before the queue knows), ``failed`` (the attempt failed, the next one waits), ``never``.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from midrise.foundation.database import PoolSettings
from midrise.foundation.jobs import JobHandler, QueuedJob, Retries
from midrise.foundation.jobs.worker import PgQueuerWorker


@dataclass(frozen=True, slots=True)
class Greeting(QueuedJob):
    """As test_queue.py asks for it."""

    name: ClassVar[str] = "test.greeting"

    whom: str


class Greeter:
    """Greets, and stands still at its step."""

    def __init__(self, file: Path, step: str) -> None:
        self._file = file
        self._step = step

    async def greet(self, job: Greeting) -> None:
        await self._stand("taken")
        if self._step == "failed":
            raise RuntimeError("not today")
        with self._file.open("a") as file:
            file.write(f"{job.whom}\n")
        await self._stand("done")

    async def _stand(self, step: str) -> None:
        if step == self._step:
            await stand()


async def stand() -> None:
    say_here()
    await asyncio.Event().wait()


def say_here() -> None:
    sys.stdout.write("here\n")
    sys.stdout.flush()


async def main(url: str, file: str, step: str) -> None:
    handler = JobHandler(Greeting, Greeter(Path(file), step).greet, Retries(first_pause_seconds=1))
    worker = PgQueuerWorker(PoolSettings(url, "midrise killed"), [], handlers=[handler], lost_after_seconds=1)
    if step == "idle":
        await stand()
    if step == "failed":
        say_here()
    await worker.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
