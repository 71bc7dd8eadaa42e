"""Threads for work that holds a core for a quarter of a second, bounded in number and in waiting."""

import asyncio
import contextlib
import contextvars
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from midrise.foundation.errors import Unavailable

Result = TypeVar("Result")

_BACKGROUND_NICENESS = 10
_FIRST_GUESS_SECONDS = 0.25


class HashingPool:
    """Runs work off the event loop. Who comes when all places are taken is turned away at once.

    bcrypt lets go of Python's lock, so as many threads as cores do work side by side. They run at a lower
    priority than the event loop, so that a crowd of log-ins does not slow the other calls (Linux alone has a
    priority for each thread; elsewhere they share the core evenly).
    """

    def __init__(self, *, workers: int, most_waiting: int) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="hashing", initializer=_be_nice)
        self._workers = workers
        self._places = workers + most_waiting
        self._taken = 0
        self._lock = threading.Lock()
        self._recent_seconds = _FIRST_GUESS_SECONDS

    @property
    def taken(self) -> int:
        """How many are waiting or being worked on."""
        return self._taken

    async def run(self, work: Callable[[], Result]) -> Result:
        """Raises `Unavailable` where too many wait already.

        A caller that is cancelled gives its place back: at once if its work has not begun, else when it ends.
        """
        return await asyncio.wrap_future(self.begin(work))

    def begin(self, work: Callable[[], Result]) -> Future[Result]:
        """The same for work that nobody need wait for. Raises `Unavailable` as well."""
        self._take_place()
        try:
            future = self._executor.submit(contextvars.copy_context().run, self._timed, work)
        except RuntimeError as error:
            self._free_place()
            raise Unavailable from error  # closed: the process is on its way out
        future.add_done_callback(self._free_place)
        return future

    def close(self) -> None:
        """Take no more work and drop what has not begun. What runs is left to end."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _take_place(self) -> None:
        with self._lock:
            if self._taken >= self._places:
                waves = math.ceil(self._taken / self._workers)
                raise Unavailable(max(1, math.ceil(waves * self._recent_seconds)))
            self._taken += 1

    def _free_place(self, _future: Future[Any] | None = None) -> None:
        with self._lock:
            self._taken -= 1

    def _timed(self, work: Callable[[], Result]) -> Result:
        started = time.perf_counter()
        try:
            return work()
        finally:
            self._recent_seconds = time.perf_counter() - started


def available_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _be_nice() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a sandbox may forbid it; the work is done all the same
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BACKGROUND_NICENESS)
