"""What a job is: one that comes round at fixed times, or one that a change asks for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar


@dataclass(frozen=True, slots=True)
class Job:
    """Something that the worker does at fixed times.

    ``schedule`` is a cron expression in UTC. A run may be repeated after a crash, so doing it twice must come
    to the same.
    """

    name: str
    schedule: str
    run: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """Something that the worker shall do once a change is committed. A kind of it is a subclass.

    A kind is a frozen dataclass with a ``name`` of its own; its fields are kept as JSON until it is done, so
    never a secret among them. Fields that a later version adds need a default: jobs outlive a deployment.
    """

    name: ClassVar[str]


Kind = TypeVar("Kind", bound=QueuedJob)


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a job is tried that fails, and the pauses between: each twice as long as the one before.

    By default two seconds at first, never more than an hour, for about a day in all.
    """

    most_attempts: int = 35
    first_pause_seconds: float = 2
    longest_pause_seconds: float = 3600

    def pause_seconds(self, attempts: int) -> float:
        """The pause behind so many attempts, of which there was one at least."""
        doublings = min(attempts - 1, 40)  # more would only reach the limit with larger numbers
        return float(min(self.first_pause_seconds * 2**doublings, self.longest_pause_seconds))


@dataclass(frozen=True, slots=True)
class JobHandler(Generic[Kind]):
    """Who does the jobs of a kind. A job may be done more than once: that must come to the same."""

    kind: type[Kind]
    run: Callable[[Kind], Awaitable[None]]
    retries: Retries = Retries()


AnyHandler = JobHandler[Any]


class Hopeless(Exception):
    """Raised by a job that no further attempt would help. The text goes into the log."""
