"""What holds for every operation: no body is dropped in silence."""

import pytest
from litestar import delete, post
from litestar.params import JSONBody
from tests.foundation.http.small_app import client_of, small_app

from midrise.foundation.http.access import ANYONE

pytestmark = pytest.mark.anyio


@delete("/things", access=ANYONE)
async def delete_things() -> None: ...


@post("/things", access=ANYONE)
async def create_thing(data: JSONBody[dict[str, str]]) -> dict[str, str]:
    return data


async def test_a_body_that_nobody_reads_is_refused():
    async with client_of(small_app(delete_things, create_thing)) as client:
        answer = await client.request("DELETE", "/things", json={"password": "wrong"})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("body", [b"", b"{}", b" {} "])
async def test_nothing_at_all_may_be_sent(body):
    async with client_of(small_app(delete_things, create_thing)) as client:
        assert (await client.request("DELETE", "/things", content=body)).status_code == 204


async def test_a_body_that_is_wanted_is_read():
    async with client_of(small_app(delete_things, create_thing)) as client:
        assert (await client.post("/things", json={"a": "b"})).json() == {"a": "b"}
