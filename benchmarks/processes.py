"""What processes take of the machine: CPU, memory, and which cores they may use."""

import os
import sys
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path

import psutil

MEBIBYTE = 1 << 20


def family(pid: int) -> list[psutil.Process]:
    """A process and those that it started."""
    first = psutil.Process(pid)
    return [first, *first.children(recursive=True)]


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of processes and their children that still run.

    Linux says it to the nanosecond for each thread; elsewhere it comes in ticks of a hundredth of a second.
    """
    members = [each for pid in pids for each in family(pid)]
    if not Path("/proc/self/schedstat").exists():
        return sum(sum(each.cpu_times()[:2]) for each in members)
    return sum(_thread_nanoseconds(each.pid) for each in members) / 1e9


def _thread_nanoseconds(pid: int) -> int:
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # one that has just ended
            total += int((thread / "schedstat").read_text().split()[0])
    return total


def memory_by_name(pids: Mapping[str, int]) -> dict[str, int]:
    """Bytes of each process of a topology with those it started, and of the supervisor of them all."""
    (supervisor,) = {psutil.Process(pid).ppid() for pid in pids.values()}
    sizes = {name: pss_bytes(pid) for name, pid in pids.items()}
    return sizes | {"supervisor": pss_bytes(supervisor, children=False)}


def pss_bytes(pid: int, *, children: bool = True) -> int:
    """Memory, where a page that several processes share is counted in parts."""
    members = family(pid) if children else [psutil.Process(pid)]
    return sum(int(each.memory_full_info().pss) for each in members)


def rss_bytes(pid: int) -> int:
    """Memory of one process, with all of what it shares with others."""
    return int(psutil.Process(pid).memory_info().rss)


class Cores:
    """Which core the measured server has to itself, and which the client uses."""

    def __init__(self) -> None:
        self._all: list[int] = []
        if sys.platform == "linux":
            with suppress(OSError):
                self._all = sorted(os.sched_getaffinity(0))

    @property
    def can_pin(self) -> bool:
        return len(self._all) > 1

    @property
    def server(self) -> AbstractSet[int]:
        return set(self._all[:1])

    @property
    def client(self) -> AbstractSet[int]:
        return set(self._all[1:2])

    @property
    def others(self) -> AbstractSet[int]:
        """For databases and the gateway: cores of their own where there are some, else the client's."""
        return set(self._all[2:]) or self.client

    def pin(self, pid: int, cores: AbstractSet[int]) -> None:
        """Keep a process, its children and all their threads on these cores, where that can be done."""
        if not self.can_pin:
            return
        for process in family(pid):
            for thread in Path(f"/proc/{process.pid}/task").iterdir():
                with suppress(OSError):
                    os.sched_setaffinity(int(thread.name), cores)

    def pin_this_process(self, cores: AbstractSet[int]) -> None:
        """Move the thread that asks."""
        if self.can_pin:
            os.sched_setaffinity(0, cores)

    def describe(self) -> str:
        if not self.can_pin:
            return "not pinned: this machine has one core, or does not let processes be kept on theirs"
        return f"API server on core {self._all[0]}, client on core {self._all[1]}"
