"""Facts about processes of this machine, told apart from later ones that got the same number.

Linux tells them under /proc; elsewhere ``ps`` is asked.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROC = Path("/proc/self/stat")


def start_mark(pid: int) -> str | None:
    """What tells this process from any other that ever had its number; None if there is no such process."""
    stat = _proc_stat(pid)
    if stat is not None:
        return None if stat[0] == "Z" else f"{_boot()} {stat[19]}"
    return None if PROC.exists() else _ps(pid, "lstart")


def is_same(pid: int, mark: str) -> bool:
    """Whether the process that once had this mark still lives."""
    return start_mark(pid) == mark


def children_of(pid: int) -> set[int]:
    """The numbers of a process's living children."""
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set() if PROC.exists() else _ps_children(pid)


def leads_session(pid: int) -> bool:
    """Whether a process was started in a session of its own, as all of ours are."""
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def working_in(folder: Path, *, program: str) -> set[int]:
    """The processes of a program whose working folder this is; none where the system doesn't tell."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if entry.readlink() == folder and entry.with_name("exe").readlink().name == program:
                found.add(int(entry.parent.name))
    return found


def command_lines() -> Iterator[tuple[int, str]]:
    """Every process of this machine that can be seen, and its arguments, a blank between."""
    if not PROC.exists():
        yield from _ps_command_lines()
        return
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            arguments = entry.read_bytes().rstrip(b"\0").split(b"\0")
            yield int(entry.parent.name), os.fsdecode(b" ".join(arguments))


def has_in_environment(pid: int, assignment: str) -> bool:
    """Whether a process was started with this assignment; never where the system doesn't tell."""
    with contextlib.suppress(OSError):
        return os.fsencode(assignment) in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return False


def signal_group(group_id: int, number: signal.Signals) -> bool:
    """Send a signal to a process group; whether there was one."""
    try:
        os.killpg(group_id, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def group_lives(group_id: int) -> bool:
    """Whether a process group still has members (also ones that nobody has waited for)."""
    try:
        os.killpg(group_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def group_works(group_id: int) -> bool:
    """Whether a process group has members that run, and not only ended ones that nobody has waited for."""
    if not group_lives(group_id) or not PROC.exists():
        return group_lives(group_id)
    stats = (_proc_stat(int(entry.name)) for entry in Path("/proc").glob("[0-9]*"))
    return any(stat is not None and stat[2] == str(group_id) and stat[0] != "Z" for stat in stats)


def _proc_stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on (proc(5): field 3 is the state, 22 the start time)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


@cache
def _boot() -> str:
    """Tells this run of the system from others, in which start times count from zero again."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _ps(pid: int, field: str) -> str | None:
    answer = subprocess.run(  # noqa: S603  fixed words and a number
        ["/bin/ps", "-o", f"{field}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or None


def _ps_command_lines() -> Iterator[tuple[int, str]]:
    answer = subprocess.run(["/bin/ps", "-A", "-o", "pid=,args="], capture_output=True, text=True, check=False)
    for line in answer.stdout.splitlines():
        pid, _, arguments = line.strip().partition(" ")
        yield int(pid), arguments


def _ps_children(pid: int) -> set[int]:
    answer = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False)
    pairs = (line.split() for line in answer.stdout.splitlines())
    return {int(child) for child, parent in pairs if int(parent) == pid}
