"""What a job is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Job:
    """Something that the worker does at fixed times.

    ``schedule`` is a cron expression in UTC. A run may be repeated after a crash, so doing it twice must come
    to the same.
    """

    name: str
    schedule: str
    run: Callable[[], Awaitable[None]]
