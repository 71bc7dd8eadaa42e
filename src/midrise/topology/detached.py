"""Raises a topology in a process of its own, which stays when the command that started it has ended.

The process reports to the command through a pipe, until everything is ready or can't be.
"""

import contextlib
import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from midrise.topology.errors import Refused
from midrise.topology.events import Event, Failed, Raised, decode, encode
from midrise.topology.plan import Plan
from midrise.topology.state import StateFolder
from midrise.topology.supervisor import supervise

STREAMS = 3
MOST_FILES = 65536


def supervise_detached(plan: Plan) -> Iterator[Event]:
    """Start the plan's supervisor in the background and give what it tells, until all is ready.

    Raises Refused if it can't be raised; then nothing is left running. So it is with Ctrl-C meanwhile.
    """
    read_end, write_end = _pipe_above_streams()
    pid = os.fork()
    if pid == 0:
        _be_supervisor(plan, write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as reports:
        try:
            for line in reports:
                event = decode(line)
                if isinstance(event, Failed):
                    os.waitpid(pid, 0)
                    raise Refused(event.reason)
                yield event
                if isinstance(event, Raised):
                    return
        except KeyboardInterrupt:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
            raise
    os.waitpid(pid, 0)
    raise Refused(f"The supervisor ended before all was ready: see {StateFolder(plan.home).supervisor_output}")


def _be_supervisor(plan: Plan, report_to: int) -> None:
    """The life of the background process; never returns."""
    code = 1
    try:
        os.setsid()
        _leave_files(report_to)
        reports = _Reports(report_to)
        try:
            _redirect_streams(StateFolder(plan.home))
            supervise(plan, tell=reports.tell)
            code = 0
        except Refused as refused:
            reports.tell(Failed(str(refused)))
    except BaseException:  # noqa: BLE001  the last that anybody hears of it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


class _Reports:
    """The pipe to the command, as long as that listens."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def tell(self, event: Event) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(self._descriptor, encode(event))
        if isinstance(event, Raised):
            os.close(self._descriptor)
            self._descriptor = None


def _pipe_above_streams() -> tuple[int, int]:
    """A pipe whose ends are no standard streams, even where the command was started without these."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, STREAMS) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


def _leave_files(report_to: int) -> None:
    """Close what the command had open: a pipe to whoever waits for the command's end, for example."""
    os.closerange(STREAMS, report_to)
    os.closerange(report_to + 1, MOST_FILES)


def _redirect_streams(state: StateFolder) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    output = _open_output(state.supervisor_output)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)


def _open_output(path: Path) -> int:
    """Where a crash of the supervisor itself is told; nowhere, if the folder can't be written to."""
    with contextlib.suppress(OSError):
        for folder in (path.parent.parent, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return os.open(os.devnull, os.O_WRONLY)
