"""Every operation that writes answers what the framework alone would, to whoever asks and however oddly.

Two instances on the same servers: one whose calls are prepared, and one where the framework has them all. What
is made anew for each call is made the same way on either.
"""

import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from tests.access.table import TABLE
from tests.access.world import ADMINISTRATOR, ANONYMOUS, ANOTHER, OWNER, Ask, Case, Occasion, World
from tests.conftest import client_of
from tests.foundation.http.both_ways import MADE, TOO_MUCH

from midrise.app import create_application
from midrise.foundation.http.asgi import App
from midrise.foundation.http.prepared_calls import PreparedCalls

pytestmark = pytest.mark.anyio

WRITES = [case for case in TABLE if not case.operation.startswith("GET")]
JSON = {"Content-Type": "application/json"}
MADE_FOR_EACH = re.compile(r"(?=[A-Za-z_.:@%+/-]*[0-9])[0-9A-Za-z_.:@%+/-]{10,}|[0-9A-Za-z_-]{30,}")
"""Ids, times, names, addresses and tokens: what is long and has a digit anywhere, or is very long."""


@dataclass(frozen=True)
class Request:
    """One way to ask for an operation. ``pieces`` is a body whose length isn't said."""

    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    pieces: Sequence[bytes] = ()
    query: dict[str, str] = field(default_factory=dict)
    method: str | None = None
    path: str | None = None

    async def send(self, client: httpx.AsyncClient, method: str, path: str) -> httpx.Response:
        return await client.request(
            self.method or method,
            self.path or path,
            content=self._in_pieces() if self.pieces else self.body,
            headers=self.headers,
            params=self.query,
        )

    async def _in_pieces(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


@pytest.fixture
async def world_of(settings, database_url, monkeypatch) -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """A world around an instance of its own, whose calls are what is given instead of `PreparedCalls`."""
    connection = await asyncpg.connect(database_url)
    async with AsyncExitStack() as stack:

        async def made(calls: Callable[..., App]) -> World:
            with monkeypatch.context() as patched:
                patched.setattr(MADE, calls)
                app = create_application(settings, process="tests")
            await app.start()
            stack.push_async_callback(app.stop)
            world = World(app, await stack.enter_async_context(client_of(app)), connection)
            await world.start()
            stack.push_async_callback(world.close)
            return world

        yield made
    await connection.close()


def requests_of(ask: Ask, method: str, path: str) -> Iterator[tuple[str, Request]]:
    """By what they are: odd ones, each of which leaves all as it was, and then the usual one, twice."""
    usual = Request(headers={"If-Match": "*"})
    if ask.body is not None:
        body = msgspec.json.encode(ask.body)
        usual = Request(body, JSON)
        yield "no type", Request(body)
        yield "too much", Request(headers=JSON, pieces=[b" " * TOO_MUCH, b"{}"])
        yield "another type", Request(body, {"Content-Type": "text/plain"})
        yield "a patch", Request(b"{", {"Content-Type": "application/merge-patch+json"})
        yield "compressed", Request(body, JSON | {"Content-Encoding": "gzip"})
        yield "NUL", Request(body.replace(b'"}', b'\\u0000"}'), JSON) if b'"}' in body else Request(b"1", JSON)
    for name, wrong in (
        ("cut", b"{"),
        ("a list", b"[]"),
        ("unknown", b'{"unknown": 1}'),
        ("not UTF-8", b"\xff"),
    ):
        yield name, Request(wrong, JSON)
    yield "a wrong body and parameter", Request(b"{", JSON, query={"unknown": "1"})
    yield "a parameter", Request(usual.body, usual.headers, query={"unknown": "1"})
    yield "a wrong body and If-Match", Request(b"{", JSON | {"If-Match": "x" * 1001})
    yield "no If-Match", Request(b"{", JSON | {"If-Match": "nothing"})
    yield "a wrong body and key", Request(b"{", JSON | {"Idempotency-Key": "k1"})
    if method == "POST":
        yield "no key", Request(usual.body, usual.headers | {"Idempotency-Key": '"'})
    yield "in Bengali", Request(b"[1]", JSON | {"Accept-Language": "bn"})
    yield "another path", Request(usual.body, usual.headers, path=f"{path}/more")
    yield "OPTIONS", Request(method="OPTIONS")
    if ask.in_path:
        yield "another id", Request(usual.body, usual.headers, path=path.replace(path.split("/")[3], "nothing"))
    keyed = usual.headers | {"Idempotency-Key": secrets.token_hex(8), "X-Midrise-Gateway-Request": "0" * 32}
    if usual.body is not None:
        half = len(usual.body) // 2
        yield "in pieces", Request(headers=keyed, pieces=[usual.body[:half], usual.body[half:]])
    else:
        yield "as usual", Request(headers=keyed)
    yield "again", Request(usual.body, keyed)


def audience_of(case: Case) -> str:
    """Somebody who may."""
    return next(each for each in (OWNER, ADMINISTRATOR, ANONYMOUS) if each in case.allowed)


async def answers(case: Case, world: World, audience: str) -> dict[str, httpx.Response]:
    """What comes of each way of asking."""
    caller = await world.caller(audience)
    owner = caller if audience == OWNER else await world.caller(OWNER)
    made = case.ask(Occasion(world, caller, owner))
    ask: Ask = await made if isawaitable(made) else made
    method, _, template = case.operation.partition(" ")
    path = template.format(**ask.in_path)
    return {name: await each.send(caller.client, method, path) for name, each in requests_of(ask, method, path)}


def told(answer: httpx.Response) -> object:
    headers = [
        (name, len(answer.content) == int(value) if name == "content-length" else masked(name, value))
        for name, value in answer.headers.multi_items()
    ]
    return answer.status_code, headers, masked_body(answer)


def masked_body(answer: httpx.Response) -> Any:
    if answer.headers.get("content-type") != "application/problem+json":
        return MADE_FOR_EACH.sub("…", answer.text)
    made = {"request_id": "", "instance": MADE_FOR_EACH.sub("…", answer.json()["instance"])}
    return answer.json() | made


def masked(name: str, value: str) -> str:
    return "…" if name in {"consistency-token", "x-request-id"} else MADE_FOR_EACH.sub("…", value)


@pytest.mark.parametrize("case", WRITES, ids=lambda case: case.name)
async def test_every_answer_is_the_frameworks(world_of, case: Case) -> None:
    prepared = await world_of(PreparedCalls)
    alone = await world_of(lambda *_, framework, **__: framework)
    for audience in dict.fromkeys((audience_of(case), ANOTHER, ANONYMOUS)):
        either = [await answers(case, world, audience) for world in (prepared, alone)]
        first, second = ({name: told(answer) for name, answer in each.items()} for each in either)
        assert first == second, audience


async def test_none_that_is_usual_comes_to_the_framework(world_of) -> None:
    left: list[str] = []

    def calls(app: Any, *, framework: App, **known: Any) -> App:
        async def note(scope: Any, receive: Any, send: Any) -> None:
            left.append(scope["state"]["request_id"])
            await framework(scope, receive, send)

        return PreparedCalls(app, framework=note, **known)

    world = await world_of(calls)
    for case in WRITES:
        for name, answer in (await answers(case, world, audience_of(case))).items():
            if name in {"in pieces", "as usual"}:
                assert answer.headers["x-request-id"] not in left, case.name
    assert left, "what is odd is the framework's"
