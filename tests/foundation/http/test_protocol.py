"""Answers in one piece, as the server puts them on the line."""

import asyncio
import contextlib
import gc
import json
import re
from contextvars import ContextVar
from typing import Any

import pytest
from tests.foundation.waiting import until
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from midrise.foundation.http.protocol import find_whole, lines_of
from midrise.foundation.http.server import Listener, _config, _Server

pytestmark = pytest.mark.anyio

LARGE = b"x" * 4_000_000
somebodys = ContextVar("somebodys", default="nobody's")
HEADERS = [(b"content-type", b"text/plain"), (b"x-name", b"caf\xe9\tau lait")]


class Shop:
    """Answers `/large` with much and all else with little, in one piece where the server takes it; `/late` when
    the test says so; `/quick` is begun without a task, and `/broken` not even that.
    """

    def __init__(self) -> None:
        self.taken: list[bool] = []
        self.begun: list[Any] = []
        self.somebodys = ""
        self.waiting = 0
        self.may_answer = asyncio.Event()

    def begin(self, scope, start) -> bool:
        if scope["path"] == "/broken":
            raise ValueError
        if scope["path"] == "/quick":
            self.begun.append((start, find_whole(scope)))
        return scope["path"] == "/quick"

    async def __call__(self, scope, receive, send) -> None:  # noqa: ARG002  as servers call it
        self.somebodys = somebodys.get()
        body = LARGE if scope["path"] == "/large" else b"mug"
        headers = [*HEADERS, (b"content-length", b"%d" % len(body))]
        send_whole = find_whole(scope)
        assert send_whole is not None
        if scope["path"] == "/late":
            self.waiting += 1
            await self.may_answer.wait()
        self.taken.append(send_whole(200, lines_of(headers), body))
        if not self.taken[-1]:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def shop():
    return Shop()


@pytest.fixture
async def connect(shop, tmp_path):
    """Opens connections to a server of the shop."""
    place = tmp_path / "s"
    server = _Server(_config(shop, Listener(uds=place), lifespan="off"))
    shop.server = server
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    async with contextlib.AsyncExitStack() as stack:

        async def connect():
            reader, writer = await asyncio.open_unix_connection(place)
            stack.callback(writer.close)
            return reader, writer

        yield connect
    server.should_exit = True
    await serving


async def read_answer(reader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    assert length is not None
    return head, await reader.readexactly(int(length[1]))


async def test_answers_follow_each_other_on_one_connection(connect):
    reader, writer = await connect()
    for _ in range(3):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head, body = await read_answer(reader)
        status, *lines = head.split(b"\r\n")
        assert (status, body) == (b"HTTP/1.1 200 OK", b"mug")
        assert lines[0].startswith(b"date: ")
        assert lines[1:] == [
            b"content-type: text/plain",
            b"x-name: caf\xe9\tau lait",
            b"content-length: 3",
            b"",
            b"",
        ]


async def test_requests_that_come_at_once_are_answered_in_their_order(connect):
    reader, writer = await connect()
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await read_answer(reader))[1] == LARGE
    assert (await read_answer(reader))[1] == b"mug"


@pytest.mark.parametrize(
    "request_head", [b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"]
)
async def test_who_asks_for_no_more_is_told_that_the_connection_closes(connect, request_head):
    reader, writer = await connect()
    writer.write(request_head)
    head, body = await read_answer(reader)
    assert b"\r\nconnection: close\r\n" in head
    assert (body, await reader.read()) == (b"mug", b"")


async def test_a_client_that_is_slow_to_take_answers_is_waited_for(connect, shop):
    reader, writer = await connect()
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    await until(lambda: len(shop.taken) == 2)
    assert shop.taken == [True, False]
    for _ in range(2):
        assert (await read_answer(reader))[1] == LARGE


async def test_requests_leave_nothing_for_the_garbage_collector(connect):
    reader, writer = await connect()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await read_answer(reader)
        left = [each for each in gc.get_objects() if isinstance(each, RequestResponseCycle)]
        assert len(left) <= 1  # the connection's last
    finally:
        gc.enable()


@pytest.mark.parametrize("requests", [1, 5])
async def test_a_client_that_has_gone_is_sent_nothing(connect, shop, caplog, requests):
    _, writer = await connect()
    writer.write(b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n" * requests)
    await until(lambda: shop.waiting)
    writer.transport.abort()
    if requests == 1:
        # While others wait behind it, the server does not read on, and finds out by writing.
        await until(lambda: not shop.server.server_state.connections)
    shop.may_answer.set()
    await until(lambda: not shop.server.server_state.connections and not shop.server.server_state.tasks)
    assert all(shop.taken)
    assert caplog.records == []


async def test_an_app_may_answer_without_a_task_or_have_one_started_later(connect, shop):
    reader, writer = await connect()
    writer.write(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: shop.begun)
    assert not shop.server.server_state.tasks
    start, send_whole = shop.begun.pop()
    send_whole(200, lines_of([*HEADERS, (b"content-length", b"5")]), b"quick")
    assert (await read_answer(reader))[1] == b"quick"

    writer.write(b"GET /quick HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: shop.begun)
    start, _ = shop.begun.pop()
    somebodys.set("another request's")
    start()
    assert (await read_answer(reader))[1] == b"mug"
    assert shop.somebodys == "nobody's"


async def test_an_app_that_fails_to_begin_is_asked_as_usual(connect):
    reader, writer = await connect()
    writer.write(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await read_answer(reader))[1] == b"mug"


UNREADABLE = b"X: \x7f\r\n\r\n"


async def test_what_can_not_be_read_is_refused_under_the_id_and_the_path_that_were_read(connect):
    reader, writer = await connect()
    writer.write(b"GET /late?a=secret HTTP/1.1\r\nHost: x\r\nX-Request-ID: r42\r\n" + UNREADABLE)
    head, body = await read_answer(reader)
    assert b"\r\nx-request-id: r42\r\n" in head
    assert json.loads(body) | {"request_id": "r42", "instance": "/late"} == json.loads(body)


@pytest.mark.parametrize("garbage", [b"\x7f\r\n\r\n", b"GET /b HTTP/1.1\r\n" + UNREADABLE])
async def test_but_not_under_those_of_the_request_before(connect, garbage):
    reader, writer = await connect()
    writer.write(b"GET /a HTTP/1.1\r\nHost: x\r\nX-Request-ID: r42\r\n\r\n")
    assert (await read_answer(reader))[1] == b"mug"
    writer.write(garbage)
    head, body = await read_answer(reader)
    assert head.startswith(b"HTTP/1.1 400")
    assert b"r42" not in head + body
    assert json.loads(body)["instance"] in {"/", "/b"}


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nset-cookie: b"),
        (b"x", b"\n"),
        (b"x", b"\0"),
        (b"x:", b"a"),
        (b"X", b"a"),
        (b"", b"a"),
        (b"x\n", b"a"),
    ],
)
def test_what_can_not_stand_in_a_header_does_not_become_a_line(header):
    with pytest.raises(ValueError, match="no header"):
        lines_of([header])
