"""How many may ask the database at once who sends a request, and how long one waits for that.

While the cache is away every request asks. If the database hangs as well, those that come would wait behind
each other for minutes, until the gateway gives up on them. So they are turned away in time, and told when to
return.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from midrise.foundation.errors import Unavailable

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class AskingBounds:
    """How many ask at once, how many wait for their turn and how long, and how long asking may take.

    Few ask at once, so that connections are left for the work itself.
    """

    most_at_once: int = 6
    most_waiting: int = 1000
    wait_seconds: float = 5.0
    ask_seconds: float = 10.0


class Asking:
    """Lets who asks do so in the order in which they come."""

    def __init__(self, bounds: AskingBounds) -> None:
        self._bounds = bounds
        self._turns = asyncio.Semaphore(bounds.most_at_once)
        self._waiting = 0

    async def ask(self, question: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer. Raises `Unavailable` where it can't be had in time, and what the question raises."""
        await self._wait()
        try:
            async with asyncio.timeout(self._bounds.ask_seconds):
                return await question()
        except TimeoutError as trouble:
            raise Unavailable from trouble
        finally:
            self._turns.release()

    async def _wait(self) -> None:
        if not self._turns.locked():
            await self._turns.acquire()
            return
        if self._waiting >= self._bounds.most_waiting:
            raise Unavailable
        self._waiting += 1
        try:
            async with asyncio.timeout(self._bounds.wait_seconds):
                await self._turns.acquire()
        except TimeoutError as trouble:
            raise Unavailable from trouble
        finally:
            self._waiting -= 1
