"""`OPTIONS` and 405 say every method that a path takes."""

import pytest
from litestar import Controller, delete, get, patch, post
from litestar.params import FromPath
from tests.foundation.http.small_app import client_of, small_app

from midrise.foundation.http.access import ANYONE, needs
from midrise.foundation.http.options import allow_header

pytestmark = pytest.mark.anyio


class ThingsController(Controller):
    path = "/things"

    @get(access=ANYONE)
    async def list_things(self) -> list[str]:
        return []

    @post(access=needs("things:write"))
    async def create_thing(self) -> None: ...

    @get("/{thing:str}", access=ANYONE)
    async def get_thing(self, thing: FromPath[str]) -> str:
        return thing

    @patch("/{thing:str}", access=needs("things:write"))
    async def change_thing(self, thing: FromPath[str]) -> str:
        return thing

    @delete("/{thing:str}", access=needs("things:write"))
    async def delete_thing(self, thing: FromPath[str]) -> None: ...


@pytest.fixture
async def client():
    async with client_of(small_app(ThingsController)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/things", "GET, HEAD, OPTIONS, POST"), ("/things/mug", "DELETE, GET, HEAD, OPTIONS, PATCH")],
)
async def test_options_names_every_method(client, path, methods):
    answer = await client.options(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == methods


async def test_options_needs_no_caller_and_no_parameters(client):
    assert (await client.options("/things?anything=1")).status_code == 204


async def test_options_of_an_unknown_path_is_404(client):
    assert (await client.options("/nowhere")).status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "TRACE", "CONNECT", "PROPFIND"])
async def test_another_method_is_405_and_names_those_there_are(client, method):
    answer = await client.request(method, "/things")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_head_is_405_where_there_is_no_get(client):
    @post("/only", access=ANYONE)
    async def only_post() -> None: ...

    async with client_of(small_app(only_post)) as other:
        answer = await other.head("/only")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "OPTIONS, POST"


def test_whatever_takes_get_takes_head():
    assert allow_header(["POST", "GET"]) == "GET, HEAD, POST"
    assert allow_header(["POST"]) == "POST"
