"""What a topology tells of itself while it is raised or changed.

The printer shows these to a person; over the control socket and to a detached start they travel as JSON lines.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec


class Began(msgspec.Struct, frozen=True, tag=True):
    """Work on something has begun."""

    name: str
    doing: str


class Finished(msgspec.Struct, frozen=True, tag=True):
    """… and is done."""

    name: str
    doing: str
    seconds: float


class Noted(msgspec.Struct, frozen=True, tag=True):
    """Something that a person should know, though nothing has to stop for it."""

    text: str


class Administrator(msgspec.Struct, frozen=True):
    """The first administrator, just made. ``password`` is None when it was given, so that nobody prints it."""

    email: str
    password: str | None


class Raised(msgspec.Struct, frozen=True, tag=True):
    """The whole is ready."""

    address: str
    seconds: float
    administrator: Administrator | None


class Failed(msgspec.Struct, frozen=True, tag=True):
    """It can't be done, and why, in one sentence."""

    reason: str


class Done(msgspec.Struct, frozen=True, tag=True):
    """What was ordered has been done."""

    text: str


class ProcessStatus(msgspec.Struct, frozen=True):
    """One process. ``state`` is starting, running, restarting, stopping or stopped."""

    name: str
    pid: int | None
    state: str
    restarts: int


class Status(msgspec.Struct, frozen=True, tag=True):
    """What runs. ``ready``: requests are served, and every part does its work or is being changed by order."""

    gateway: str
    ready: bool
    processes: tuple[ProcessStatus, ...]


Event = Began | Finished | Noted | Raised | Failed | Done | Status
Tell = Callable[[Event], None]

_DECODER: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


@contextmanager
def timed(name: str, doing: str, *, tell: Tell) -> Iterator[None]:
    """Tell when the work inside the block begins, and how long it took if it ends well."""
    began = time.perf_counter()
    tell(Began(name, doing))
    yield
    tell(Finished(name, doing, time.perf_counter() - began))


def encode(event: Event) -> bytes:
    return msgspec.json.encode(event) + b"\n"


def decode(line: bytes) -> Event:
    return _DECODER.decode(line)
