"""One line a request: what was asked, by whom, from where, what came of it; and no secret."""

import asyncio
import json
from uuid import UUID

import pytest
from litestar import Request, get, post
from litestar.params import FromPath, JSONBody
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from tests.foundation.http.both_ways import Asked, told
from tests.foundation.http.middleware.asgi_calls import answer_ok, call
from tests.foundation.http.small_app import client_of, small_app

from midrise.foundation.actor import Actor
from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.middleware.access_log import AccessLog
from midrise.foundation.observability import logs

pytestmark = pytest.mark.anyio


@get("/things/{thing:str}", access=ANYONE)
async def get_thing(thing: FromPath[str]) -> str:
    if thing == "bug":
        raise RuntimeError("a bug")
    return thing


@post("/things", access=ANYONE)
async def create_thing(data: JSONBody[dict[str, str]]) -> None: ...


@post("/read", access=ANYONE)
async def read_body(request: Request) -> None:
    await request.body()


@pytest.fixture
async def client():
    async with client_of(small_app(get_thing, create_thing)) as client:
        yield client


def lines_of_requests(lines: list) -> list[dict]:
    return [line for line in lines if line["event"] == "request"]


async def test_a_request_is_one_line(client):
    with capture_logs(processors=[logs.name_request]) as lines:
        await client.get("/things/mug", headers={"X-Request-ID": "r42"})
    (line,) = lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/things/{thing}",
        "status": 200,
        "caller": None,
        "address": "203.0.113.7",
        "request_id": "r42",
    }


@pytest.mark.parametrize(
    ("method", "path", "route", "status"),
    [
        ("HEAD", "/things/mug", "/things/{thing}", 200),
        ("GET", "/things/bug", "/things/{thing}", 500),
        ("GET", "/things/mug?x=1", "/things/{thing}", 400),
        ("OPTIONS", "/things", "/things", 204),
        ("GET", "/nowhere", "-", 404),
        ("DELETE", "/things", "-", 405),
    ],
)
async def test_whatever_comes_of_it(client, method, path, route, status):
    with capture_logs() as lines:
        await client.request(method, path)
    (line,) = lines_of_requests(lines)
    assert (line["method"], line["route"], line["status"]) == (method, route, status)


async def test_what_is_refused_before_anybody_is_known_says_its_address_too(client):
    with capture_logs() as lines:
        await client.post("/things", content=b"x" * (1 << 20) + b"x")
    (line,) = lines_of_requests(lines)
    assert (line["status"], line["address"]) == (413, "203.0.113.7")


async def test_it_holds_nothing_that_the_client_sent_but_its_id(client):
    with capture_logs(processors=[logs.name_request]) as lines:
        headers = {"Authorization": "Bearer canary", "Cookie": "canary", "User-Agent": "canary"}
        await client.get("/things/canary?token=canary", headers=headers)
        await client.post("/things", json={"password": "canary"}, headers=headers)
        await client.post("/things", content=b'{"password": "canary"', headers=headers)
    assert len(lines) == 3
    assert "canary" not in json.dumps(lines)


async def test_the_caller_is_told_by_id():
    async def know(scope, receive, send):
        scope["state"]["actor"] = Actor(user_id=UUID(int=7))
        await answer_ok(scope, receive, send)

    with capture_logs() as lines:
        await call(AccessLog(know))
    assert lines[0]["caller"] == "00000000-0000-0000-0000-000000000007"


async def test_a_request_that_was_given_up_is_499():
    began = asyncio.Event()

    async def hang(scope, receive, send):
        began.set()
        await asyncio.Event().wait()

    before = in_progress()
    with capture_logs() as lines:
        task = asyncio.create_task(call(AccessLog(hang)))
        await began.wait()
        assert in_progress() == before + 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert lines[0]["status"] == 499
    assert in_progress() == before


@pytest.mark.parametrize("path", ["/things", "/read"])
async def test_a_request_whose_body_broke_off_is_499_and_no_error(path):
    app = small_app(create_thing, read_body)
    labels = {"method": "POST", "route": path, "status": "499"}
    before = REGISTRY.get_sample_value("midrise_request_seconds_count", labels) or 0
    length = [("Content-Type", "application/json"), ("Content-Length", "30")]
    came = await told(app, Asked("POST", path, [b'{"na'], length, breaks_off=True))
    assert came.logged == ["request"]
    assert REGISTRY.get_sample_value("midrise_request_seconds_count", labels) == before + 1


async def test_its_time_is_counted_by_route_and_status(client):
    labels = {"method": "GET", "route": "/things/{thing}", "status": "200"}
    before = REGISTRY.get_sample_value("midrise_request_seconds_count", labels) or 0
    await client.get("/things/mug")
    await client.get("/things/cup")
    assert REGISTRY.get_sample_value("midrise_request_seconds_count", labels) == before + 2


def in_progress() -> float:
    return REGISTRY.get_sample_value("midrise_requests_in_progress") or 0
