"""`HEAD` is `GET` without the body."""

import pytest
from litestar import get, post
from tests.foundation.http.small_app import client_of, small_app

from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.middleware.head import HeadAnswers

pytestmark = pytest.mark.anyio


@get("/thing", access=ANYONE)
async def get_thing() -> dict[str, str]:
    return {"name": "mug"}


@post("/only", access=ANYONE)
async def only_post() -> None: ...


@pytest.fixture
async def client():
    async with client_of(small_app(get_thing, only_post)) as client:
        yield client


async def test_the_headers_are_those_of_get(client):
    read, head = await client.get("/thing"), await client.head("/thing")
    assert (head.status_code, head.content) == (200, b"")
    differing = {"x-request-id"}
    assert {name: value for name, value in head.headers.items() if name not in differing} == {
        name: value for name, value in read.headers.items() if name not in differing
    }
    assert int(head.headers["content-length"]) == len(read.content)


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/only", 405), ("/thing?x=1", 400)])
async def test_an_error_has_no_body_either(client, path, status):
    head = await client.head(path)
    assert (head.status_code, head.content) == (status, b"")
    assert head.headers["content-type"] == "application/problem+json"


async def test_the_server_still_sees_a_head():
    scope = {"type": "http", "method": "HEAD", "state": {}}
    methods = []

    async def app(asked, receive, send):
        asked["path_template"] = "/things"
        methods.append((asked["method"], scope["method"]))

    await HeadAnswers(app)(scope, None, None)
    assert methods == [("GET", "HEAD")]
    assert scope["path_template"] == "/things"
