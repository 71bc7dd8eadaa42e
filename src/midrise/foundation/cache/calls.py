"""Calls on the connection that all requests share, and who waits for their answers."""

from dataclasses import dataclass
from typing import Any, Protocol

import hiredis

Argument = bytes | str | int | float


class Waiter(Protocol):
    """Who is told the answer to a call, as soon as it is read: a future, or what does with less.

    What it does then is done between two answers of the server: it must be quick, and must not raise.
    """

    def done(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def set_result(self, answer: Any, /) -> None: ...

    def set_exception(self, error: Exception, /) -> None:
        """It gets redis-py's errors, `OSError`, and `TimeoutError` after the budget."""
        ...


@dataclass(slots=True, eq=False)
class Call:
    """One command on its way; it has to be answered by ``deadline``, a time of the event loop."""

    packed: bytes
    deadline: float
    waiter: Waiter
    is_repeated: bool = False


def pack(*command: Argument) -> bytes:
    """A command as it goes over the line."""
    # hiredis' stub knows tuples of one member only.
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed
