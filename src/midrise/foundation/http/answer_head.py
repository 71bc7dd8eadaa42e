"""The head of an answer that is being made: what the layers want on it, collected on the way in.

Each layer that wrapped ``send`` for a header or two of its own would cost a call and a new list for each
answer; one does it for all.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from midrise.foundation.http.asgi import Message, Scope, Send
from midrise.foundation.http.protocol import find_whole, lines_of

Header = tuple[bytes, bytes]

_OF_THE_SERVER = frozenset({b"connection", b"transfer-encoding"})
"""Headers that tell the server how to send what follows."""
_WITHOUT_BODY = frozenset({204, 304})


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

    def complete(self, said: Iterable[Header]) -> list[Header]:
        """Every header of the answer, given what the application says."""
        headers = list(said)
        present = dict(headers)
        headers += self.headers
        headers += [header for header in self.usual if header[0] not in present]
        for tell in self.late:
            headers.append(tell())
        return headers


class AnswerSending:
    """The ``send`` of the layers: it completes the head, and has the server send an answer in one piece that
    comes in one.

    As ASGI asks for, nothing is sent before the first part of the body is there: until then something else may
    be answered.
    """

    __slots__ = ("_head", "_send", "_send_whole", "_start")

    def __init__(self, head: AnswerHead, scope: Scope, send: Send) -> None:
        self._head = head
        self._send = send
        self._send_whole = find_whole(scope)
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            status = self._head.status = start["status"]
            start["headers"] = headers = self._head.complete(start.get("headers", ()))
            if not message.get("more_body") and self._is_sent_whole(status, headers, message.get("body", b"")):
                return
            await self._send(start)
        await self._send(message)

    def _is_sent_whole(self, status: int, headers: list[Header], body: bytes) -> bool:
        if self._send_whole is None or not _is_of_one_piece(status, dict(headers), body):
            return False
        try:
            lines = lines_of(headers)
        except ValueError:
            # The server says what is wrong with it, if anything is.
            return False
        return self._send_whole(status, lines, body)


def answer_head(scope: Any) -> AnswerHead:
    """That of the request's answer."""
    head: AnswerHead = scope["state"]["answer"]
    return head


def _is_of_one_piece(status: int, headers: Mapping[bytes, bytes], body: bytes) -> bool:
    """Whether the body is as long as the headers say, and is sent as it is. That of a HEAD is not."""
    if not _OF_THE_SERVER.isdisjoint(headers):
        return False
    length = headers.get(b"content-length")
    if length is None:
        return status in _WITHOUT_BODY and not body
    return length == b"%d" % len(body)
