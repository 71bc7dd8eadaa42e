"""HTTP/1.1 as uvicorn speaks it, with two things of ours: what is no HTTP is refused in the one error format,
and an answer may be handed over whole.

uvicorn looks through each header of each answer for characters that would end it. Headers that are the same on
every answer are made into bytes once, and looked through then: `lines_of`.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextvars import copy_context
from functools import lru_cache, partial
from typing import Any
from weakref import ref

import msgspec
import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from midrise.foundation.errors import Malformed
from midrise.foundation.http.asgi import Begin, Scope
from midrise.foundation.http.problems import PROBLEM_JSON, problem_of
from midrise.foundation.http.request_ids import ids_of_headers
from midrise.foundation.localization import Language

log = structlog.get_logger()

WHOLE_ANSWER = "midrise.whole_answer"
"""The extension of ASGI by which an answer is sent in one piece."""

SendWhole = Callable[[int, bytes, bytes], bool]
"""Sends a status, the lines of the headers, and a body. False where the client is slow to take what was sent
before: then nothing was done, and the answer is to be sent as usual."""

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")  # a token of RFC 9110, section 5.6.2, in lower case
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._begin: Begin | None = getattr(self.app, "begin", None)
        self._context = copy_context()
        """What is started later must not be started as a part of the request whose turn it is then."""

    def send_400_response(self, msg: str) -> None:
        path, headers = self._read_so_far()
        request_id = ids_of_headers(headers).request_id
        log.info("request.unreadable", reason=msg, request_id=request_id)
        problem = problem_of(Malformed(), path=path, request_id=request_id, language=Language.ENGLISH)
        body = msgspec.json.encode(problem)
        head = (
            "HTTP/1.1 400 Bad Request\r\n"
            f"content-type: {PROBLEM_JSON}\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _read_so_far(self) -> tuple[str, Sequence[tuple[bytes, bytes]]]:
        """The path and the headers of a request that can't be read to its end."""
        scope: Any = self.scope
        cycle: Any = self.cycle  # None before the first request, whatever its annotation says
        is_of_one_before = cycle is not None and cycle.scope is scope and cycle.response_complete
        if scope is None or is_of_one_before:
            return "/", ()
        path, _, _ = self.url.partition(b"?")
        return scope.get("path") or path.decode("ascii", "replace") or "/", scope["headers"]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        scope: Any = cycle.scope
        # The cycle holds the scope: if that held the cycle, only the garbage collector could take them away.
        scope["extensions"] = {WHOLE_ANSWER: partial(_send_whole, ref(cycle))}
        start = super()._start_asgi_task
        if self._begin is None or app is not self.app:
            start(cycle, app)
            return
        try:
            is_begun = self._begin(scope, partial(self._context.run, start, cycle, app))
        except Exception:
            log.exception("request.not_begun")
            is_begun = False
        if not is_begun:
            start(cycle, app)


def find_whole(scope: Scope) -> SendWhole | None:
    """How to send an answer in one piece; None on a server that can't."""
    extensions = scope.get("extensions")
    return extensions.get(WHOLE_ANSWER) if extensions else None


def lines_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The headers as they go over the line, each with its end.

    Raises `ValueError` for what can't stand in one, such as the end of a line.
    """
    headers = list(headers)
    names = tuple([name for name, _ in headers])
    if not (_are_names(names) and _are_values(b"".join([value for _, value in headers]))):
        raise ValueError(f"no headers of HTTP: {names!r}")
    return b"\r\n".join([*map(b": ".join, headers), b""])


@lru_cache(maxsize=1024)  # by far more than there are kinds of answers
def _are_names(names: tuple[bytes, ...]) -> bool:
    return all(_NAME.fullmatch(name) for name in names)


def _are_values(values: bytes) -> bool:
    """Whether nothing stands in them that may not. Whatever Python would print as it is may, and that is told
    much faster.
    """
    return str(values, "latin-1").isprintable() or _VALUE.fullmatch(values) is not None


def _send_whole(running: "ref[RequestResponseCycle]", status: int, lines: bytes, body: bytes) -> bool:
    """What `RequestResponseCycle.send` does with the two messages of an answer whose length is known."""
    cycle = running()
    if cycle is None or cycle.disconnected:
        return True
    if cycle.flow.write_paused:
        return False
    if cycle.response_started:
        raise RuntimeError("an answer was sent before")
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    if not cycle.transport.is_closing():  # It is a moment before the cycle is told of it.
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        server_lines = _server_lines.of(cycle.default_headers)
        cycle.transport.write(b"".join((STATUS_LINE[status], server_lines, lines, end, body)))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


class _ServerLines:
    """What the server puts on every answer: the date, which it spells out once a second in a new list."""

    def __init__(self) -> None:
        self._said: Sequence[tuple[bytes, bytes]] = ()
        self._lines = b""

    def of(self, said: Sequence[tuple[bytes, bytes]]) -> bytes:
        if said is not self._said:
            self._said, self._lines = said, lines_of(said)
        return self._lines


_server_lines = _ServerLines()
