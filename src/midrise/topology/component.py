"""What every program of the topology has in common: how it is started, when it is ready, how it ends.

A component only describes; ``child.py`` runs it. To run some without a supervisor, in tests for example::

    with running(PostgresPrimary(folder, sockets=sockets), Valkey(folder, sockets=sockets), logs=logs):
        ...                                        # see background.py
"""

import signal
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from midrise.topology.privileges import Account, server_account


class Component(ABC):
    """One program: a name, a command, and what may be asked of it while it runs."""

    start_limit_s: ClassVar[float] = 60
    stop_limit_s: ClassVar[float] = 30
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    hurry_signal: ClassVar[signal.Signals] = signal.SIGKILL
    """What ends it when nobody wants to wait any more."""
    straggler_signal: ClassVar[signal.Signals] = signal.SIGKILL
    """What is sent to those of its processes that outlive the first one."""

    def __init__(self, name: str, *, account: Account | None = None) -> None:
        self.name = name
        self.account = account or server_account()

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments, to be run in the foreground."""

    @abstractmethod
    async def is_ready(self, pid: int) -> bool:
        """Whether the process does its work now. Asked again and again; answers within a second."""

    async def prepare(self) -> None:  # noqa: B027  few have any
        """Make what the program needs before it starts, and put away what a dead predecessor left."""

    def environment(self) -> Mapping[str, str] | None:
        """Its whole environment; None for the one that Midrise itself runs in."""
        return None

    def clear(self) -> None:  # noqa: B027  few have any
        """Remove what must not stay behind once the program has ended: its sockets."""

    @property
    def doing(self) -> str:
        """What its start consists of, in a word or two for a person."""
        return "starting"


class DisposableComponent(Component):
    """A program whose data can be had again: it is made anew where waiting and restarting won't help."""

    @abstractmethod
    def is_beyond_repair(self, output: str) -> bool:
        """Whether what the program printed says that it must be made anew."""

    @abstractmethod
    async def make_anew(self) -> None:
        """Throw its data away and fetch them again. The program doesn't run meanwhile."""
