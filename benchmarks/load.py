"""Sends requests as fast as they are answered, on connections that are kept: one request at a time on each.

It reads no more of an answer than its status and length, so that it takes a fraction of what the server takes.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import cast

CONNECTIONS = 32
LONGEST_SECONDS = 120.0
"""Whatever was asked for, no load lasts longer."""

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"

Place = Path | tuple[str, int]
"""A Unix socket, or a host and a port."""


@dataclass(slots=True)
class Outcome:
    """What one load came to. ``unexpected`` counts the answers of another status, by status."""

    seconds: float = 0.0
    latencies_seconds: list[float] = field(default_factory=list)
    unexpected: Counter[int] = field(default_factory=Counter)
    body_bytes: int = 0

    @property
    def answers(self) -> int:
        return len(self.latencies_seconds)

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds

    def percentile_ms(self, share: float) -> float:
        ordered = sorted(self.latencies_seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


class ConnectionLost(Exception):
    """The server closed a connection that an answer was awaited on."""


async def run_load(
    place: Place,
    requests: Iterator[bytes],
    *,
    seconds: float,
    expected_status: int,
    connections: int = CONNECTIONS,
    most_requests: int = 1_000_000,
) -> Outcome:
    """Send requests until the time is over or they are used up; those under way are waited for.

    Raises `ConnectionLost`.
    """
    load = _Load(requests, seconds=seconds, expected_status=expected_status, most_requests=most_requests)
    loop = asyncio.get_running_loop()
    opened = []
    for _ in range(connections):
        if isinstance(place, Path):
            opened.append(await loop.create_unix_connection(lambda: _Connection(load), str(place)))
        else:
            opened.append(await loop.create_connection(lambda: _Connection(load), *place))
    began = perf_counter()
    load.deadline = began + min(seconds, LONGEST_SECONDS)
    try:
        for _, connection in opened:
            connection.ask()
        async with asyncio.timeout(seconds + 60):
            await asyncio.gather(*(connection.ended for _, connection in opened))
    finally:
        for transport, _ in opened:
            transport.close()
    load.outcome.seconds = perf_counter() - began
    return load.outcome


class _Load:
    """What the connections of one load share."""

    def __init__(
        self, requests: Iterator[bytes], *, seconds: float, expected_status: int, most_requests: int
    ) -> None:
        self.deadline = perf_counter() + seconds
        self.outcome = Outcome()
        self._requests = requests
        self._expected = str(expected_status).encode()
        self._left = most_requests

    def next_request(self) -> bytes | None:
        self._left -= 1
        if self._left < 0 or perf_counter() >= self.deadline:
            return None
        return next(self._requests, None)

    def note(self, status: bytes, *, began: float, body_bytes: int) -> None:
        outcome = self.outcome
        outcome.latencies_seconds.append(perf_counter() - began)
        outcome.body_bytes = body_bytes
        if status != self._expected:
            outcome.unexpected[int(status)] += 1


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._load = load
        self._began = 0.0
        self._received = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but name

    def ask(self) -> None:
        request = self._load.next_request()
        if request is None or self._transport is None:
            if not self.ended.done():
                self.ended.set_result(None)
            return
        self._began = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        head, end, _ = received.partition(END_OF_HEAD)
        body_bytes = _announced(head) if end else 0
        if not end or len(received) < len(head) + len(END_OF_HEAD) + body_bytes:
            self._received = received
            return
        self._received = b""
        self._load.note(head[9:12], began=self._began, body_bytes=body_bytes)
        self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(ConnectionLost(str(exc or "closed by the server")))


def _announced(head: bytes) -> int:
    """The bytes of the body. Only for answers that say so, or have none."""
    value = head.lower().partition(LENGTH)[2]
    if head[9:12] == b"304":
        return 0
    return int(value.partition(b"\r\n")[0]) if value else 0
