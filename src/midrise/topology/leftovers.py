"""Remembers the processes that a supervisor started, and ends those that outlived a killed one."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import msgspec

from midrise.topology import processes
from midrise.topology.state import write_whole

END_LIMIT_S = 20


class Recorded(msgspec.Struct, frozen=True):
    """A process as it was started. ``mark`` tells it from a later one of the same number."""

    name: str
    pid: int
    mark: str
    stop_signal: int


class ProcessRecord:
    """The file that lists what runs, in the order in which it was started."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._recorded: dict[str, Recorded] = {}

    def add(self, name: str, *, pid: int, stop_signal: signal.Signals) -> None:
        mark = processes.start_mark(pid)
        if mark is not None:
            self._recorded.pop(name, None)
            self._recorded[name] = Recorded(name, pid, mark, stop_signal)
            self._write()

    def remove(self, name: str) -> None:
        if self._recorded.pop(name, None):
            self._write()

    def _write(self) -> None:
        # A full disk must not stop what runs; all that is lost is help after a crash.
        with contextlib.suppress(OSError):
            write_whole(self._path, msgspec.json.encode(list(self._recorded.values())).decode())


async def end_leftovers(path: Path) -> list[str]:
    """End what the last supervisor left running, last started first. Returns the names."""
    return [process.name for process in reversed(_read(path)) if await _end(process)]


def _read(path: Path) -> list[Recorded]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Recorded])
    except (OSError, msgspec.MsgspecError):
        return []


async def _end(process: Recorded) -> bool:
    lives = processes.is_same(process.pid, process.mark)
    if lives:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, process.stop_signal)
        limit = time.monotonic() + END_LIMIT_S
        # They are no children of ours: nothing tells when they end.
        while processes.is_same(process.pid, process.mark) and time.monotonic() < limit:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    elif processes.start_mark(process.pid) is not None:
        return False  # the number is another program's by now, and so may be the group's
    return processes.signal_group(process.pid, signal.SIGKILL) or lives
