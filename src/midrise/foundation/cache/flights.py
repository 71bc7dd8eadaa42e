"""One reading however many ask for the same at once, and what those who waited may have of it.

Who finds nobody reading reads for all. Who comes meanwhile waits, and where that reading came to nothing for
him, the first of those who waited reads next: one after the other, and never all at once. What he begins is
begun after all of them came.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from enum import Enum, auto
from typing import Generic, TypeVar

import msgspec

from midrise.foundation.errors import AppError, InternalError, Unavailable

Value = TypeVar("Value")

_MOST_FAILURES = 2
"""How many readings that fail somebody waits for. Each may take as long as a statement may."""


class Outcome(Enum):
    """What a reading is to others."""

    RIGHT = auto()
    """Right for everybody who asked for the same."""
    RIGHT_LATER = auto()
    """Right for who came before it was begun."""
    UNSHARED = auto()
    """It went well, and nobody else may have it."""
    FAILED = auto()
    """What was asked did not answer; it would hardly do so for the next."""
    LEFT = auto()
    """Who read went away, which says nothing of what was asked."""


class Landing(msgspec.Struct, Generic[Value], frozen=True):
    """How a reading ended."""

    outcome: Outcome
    value: Value | None = None


class Flights(Generic[Value]):
    """The readings under way."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Flight[Value]] = {}

    async def share(self, key: Hashable, read: Callable[[], Awaitable[Landing[Value]]]) -> Value | None:
        """Read it, or have part in somebody's reading of it.

        None where nothing may be shared: who read knows what came of it, and whoever gets None without having
        been asked to read has to read alone. Raises what reading raises, and `Unavailable` where it failed for
        others time and again.
        """
        is_later, failures = False, 0
        while (flight := self._under_way.get(key)) is not None:
            landing = await flight.landing()
            outcome = landing.outcome
            if outcome is Outcome.RIGHT or (is_later and outcome is Outcome.RIGHT_LATER):
                return landing.value
            if is_later and outcome is Outcome.UNSHARED:
                # Another one would be as little for others: nobody shall wait behind a thousand of them.
                return None
            failures += outcome is Outcome.FAILED
            if failures == _MOST_FAILURES:
                raise Unavailable
            is_later = True
        return await self._lead(key, read)

    async def _lead(self, key: Hashable, read: Callable[[], Awaitable[Landing[Value]]]) -> Value | None:
        landing: Landing[Value] = Landing(Outcome.LEFT)
        flight = self._under_way[key] = _Flight()
        try:
            landing = await read()
        except Exception as error:
            landing = Landing(Outcome.FAILED if _is_failure(error) else Outcome.UNSHARED)
            raise
        finally:
            # Also where the leader was cancelled: nobody waits for what will not come.
            del self._under_way[key]
            flight.land(landing)
        return landing.value


class _Flight(Generic[Value]):
    """A reading under way; mostly nobody joins it."""

    __slots__ = ("_landed",)

    def __init__(self) -> None:
        self._landed: asyncio.Future[Landing[Value]] | None = None

    async def landing(self) -> Landing[Value]:
        if self._landed is None:
            self._landed = asyncio.get_running_loop().create_future()
        return await asyncio.shield(self._landed)

    def land(self, landing: Landing[Value]) -> None:
        if self._landed is not None:
            self._landed.set_result(landing)


def _is_failure(error: Exception) -> bool:
    """Whether it says that something is broken, and not what this one caller may not have."""
    return not isinstance(error, AppError) or isinstance(error, Unavailable | InternalError)
