"""The logs of all processes: kept from growing without end, and shown.

Processes write to their files themselves and never reopen them. So a log that has grown too large is copied to
the next number and then cut, in place; what is written between the last read and the cut, some microseconds,
is lost.
"""

import asyncio
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from midrise.foundation import clock
from midrise.topology.events import Event, Raised, encode

LARGEST_BYTES = 64 * 1024 * 1024
KEPT_OLD = 2
LOOK_EVERY_S = 10
CHUNK_BYTES = 1024 * 1024
SHOWN_LINES = 200
SUPERVISOR = "supervisor"
MASK = "********"


class SupervisorLog:
    """What the supervisor itself did, a JSON line each."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{SUPERVISOR}.log"

    def write(self, event: Event) -> None:
        line = b'{"timestamp":"%s",' % clock.now().isoformat().encode() + encode(_without_password(event))[1:]
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def _without_password(event: Event) -> Event:
    """The event as it may be kept: the administrator's password is for whoever ran `midrise up` alone."""
    if not isinstance(event, Raised) or event.administrator is None or event.administrator.password is None:
        return event
    return replace(event, administrator=replace(event.administrator, password=MASK))


async def keep_small(folder: Path, *, largest_bytes: int = LARGEST_BYTES) -> None:
    """Watch the logs of a folder and cut those that are too large, for ever."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        await asyncio.to_thread(cut_large, folder, largest_bytes=largest_bytes)


def cut_large(folder: Path, *, largest_bytes: int) -> None:
    """Move what a log holds to a numbered one, if it is larger than this."""
    for log in folder.glob("*.log"):
        try:
            if log.stat().st_size > largest_bytes:
                _cut(log)
        except OSError:
            continue  # a full disk: the next look tries again


def rename(folder: Path, names: Mapping[str, str]) -> None:
    """Call the logs of processes by new names. A process that runs goes on in the same file."""
    changed = {old: new for old, new in names.items() if old != new}
    found = [(old, log) for old in changed for log in folder.glob(f"{old}.log*")]
    moves = [(log.rename(f"{log}.moved"), f"{changed[old]}{log.name.removeprefix(old)}") for old, log in found]
    for moved, name in moves:
        moved.rename(folder / name)


def _cut(log: Path) -> None:
    for number in range(KEPT_OLD, 1, -1):
        younger = log.with_name(f"{log.name}.{number - 1}")
        if younger.exists():
            younger.rename(log.with_name(f"{log.name}.{number}"))
    with log.open("rb+", buffering=0) as source, open(f"{log}.1", "wb", opener=_open_as_own) as copy:
        while chunk := source.read(CHUNK_BYTES):
            copy.write(chunk)
        source.truncate(0)


def _open_as_own(path: str, flags: int) -> int:
    """As logs are opened: for nobody else to read."""
    return os.open(path, flags, 0o600)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line, and the name of the process that wrote it."""

    name: str
    text: str


class LogReader:
    """Reads the logs of a folder: their ends first, then what is added."""

    def __init__(self, folder: Path, *, name: str | None = None) -> None:
        self._folder = folder
        self._name = name
        self._read_bytes: dict[Path, int] = {}

    def names(self) -> list[str]:
        """The processes that have a log."""
        return sorted(path.stem for path in self._folder.glob("*.log"))

    def recent(self) -> Iterator[LogLine]:
        """The last lines of each log."""
        for path in self._paths():
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - CHUNK_BYTES))
                lines = file.read().splitlines()
            self._read_bytes[path] = size
            yield from _labelled(path, lines[-SHOWN_LINES:])

    def added(self) -> Iterator[LogLine]:
        """The whole lines that were added since the last look."""
        for path in self._paths():
            begin = self._read_bytes.get(path, 0)
            with path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < begin:
                    begin = 0  # the log was cut
                file.seek(begin)
                whole, newline, _ = file.read(CHUNK_BYTES).rpartition(b"\n")
            self._read_bytes[path] = begin + len(whole) + len(newline)
            yield from _labelled(path, whole.splitlines())

    def _paths(self) -> list[Path]:
        if self._name is not None:
            path = self._folder / f"{self._name}.log"
            return [path] if path.exists() else []
        return sorted(self._folder.glob("*.log"))


def _labelled(path: Path, lines: list[bytes]) -> Iterator[LogLine]:
    return (LogLine(path.stem, line.decode(errors="replace")) for line in lines)
