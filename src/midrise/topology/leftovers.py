"""Remembers the processes that a supervisor started, and ends those that outlived a killed one."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec.structs import replace

from midrise.topology import processes
from midrise.topology.errors import Refused
from midrise.topology.state import StateFolder, write_whole

END_LIMIT_S = 20
JOB = "-P -m midrise "
SERVERS = {
    "nginx: master process": signal.SIGQUIT,
    "-m midrise serve": signal.SIGTERM,
    "-m midrise worker": signal.SIGTERM,
    "valkey-server": signal.SIGTERM,
    "redis-server": signal.SIGTERM,
    "pg_basebackup -D": signal.SIGTERM,
    "pg_rewind -D": signal.SIGTERM,
    "initdb -D": signal.SIGTERM,
    "postgres --single": signal.SIGTERM,
    "postgres -D": signal.SIGINT,
}
"""How each program that a supervisor starts shows itself among all processes, and what ends it."""


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

    def rename(self, names: Mapping[str, str]) -> None:
        """Call processes what they are now, each by its old name."""
        renamed = [replace(one, name=names.get(one.name, one.name)) for one in self._recorded.values()]
        self._recorded = {one.name: one for one in renamed}
        self._write()

    def _write(self) -> None:
        # A full disk must not stop what runs; all that is lost is help after a crash.
        with contextlib.suppress(OSError):
            write_whole(self._path, msgspec.json.encode(list(self._recorded.values())).decode())


def name_leftovers(state: StateFolder) -> list[str]:
    """What a killed supervisor left running, last started first. Ask while none holds the folder."""
    recorded = [process for process in reversed(_read(state.processes)) if _lives(process)]
    known = {process.pid for process in recorded}
    return [process.name for process in recorded + [one for one in _strays(state) if one.pid not in known]]


def refuse_orphaned(state: StateFolder) -> None:
    """Raise Refused where processes run that no supervisor keeps, and name the ways out."""
    if not state.is_locked() and (left := name_leftovers(state)):
        raise Refused(
            f"The supervisor of {state.home} is gone, but {', '.join(left)} still "
            f"{'runs' if len(left) == 1 else 'run'}: "
            "start anew with midrise up, or end what is left with midrise down"
        )


async def end_leftovers(state: StateFolder) -> list[str]:
    """End what the last supervisor left running, last started first. Returns the names.

    One that was killed between starting a process and recording it leaves strays, which are known by their
    arguments.
    """
    names = [process.name for process in reversed(_read(state.processes)) if await _end(process)]
    return names + [process.name for process in _strays(state) if await _end(process)]


def _read(path: Path) -> list[Recorded]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Recorded])
    except (OSError, msgspec.MsgspecError):
        return []


def _strays(state: StateFolder) -> list[Recorded]:
    """Processes of the programs that a supervisor starts, with a path of this folder in their arguments."""
    paths = (f"{state.home}/", f"{state.sockets}/")
    found = []
    for pid, arguments in processes.command_lines():
        kind = next((kind for kind in SERVERS if kind in arguments), None)
        is_server = kind is not None and any(path in arguments for path in paths)
        is_job = JOB in arguments and processes.has_in_environment(pid, f"MIDRISE_HOME={state.home}")
        mark = processes.start_mark(pid)
        if (is_server or is_job) and mark is not None and processes.leads_session(pid):
            number = SERVERS.get(kind or "", signal.SIGTERM)
            found.append(Recorded(f"process {pid}", pid, mark, number))
    return found


def _lives(process: Recorded) -> bool:
    """Whether it lives, or what it started does."""
    if processes.start_mark(process.pid) is None:
        return processes.group_works(process.pid)
    return processes.is_same(process.pid, process.mark)


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
