"""The head of an answer that is being made: what the layers want on it, collected on the way in.

Each layer that wrapped ``send`` for a header or two of its own would cost a call and a new list for each
answer; one does it for all.
"""

from collections.abc import Callable
from typing import Any

Header = tuple[bytes, bytes]


class AnswerHead:
    """What is going to stand on the answer, besides what the application says.

    ``status`` is 0 before the answer has begun. ``usual`` are headers that the application may say otherwise;
    ``late`` are asked when the answer begins, for what is only known then.
    """

    __slots__ = ("headers", "late", "status", "usual")

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[Header] = []
        self.usual: tuple[Header, ...] = ()
        self.late: list[Callable[[], Header]] = []

    def complete(self, said: Any) -> list[Header]:
        """Every header of the answer, given what the application says."""
        headers = [*said, *self.headers]
        present = {name for name, _ in said}
        headers += [header for header in self.usual if header[0] not in present]
        headers += [tell() for tell in self.late]
        return headers


def answer_head(scope: Any) -> AnswerHead:
    """That of the request's answer."""
    head: AnswerHead = scope["state"]["answer"]
    return head
