"""A body that is too long is refused before it is read, or as soon as it has become too long."""

import pytest
from litestar import post
from litestar.params import JSONBody
from tests.foundation.http.middleware.asgi_calls import answer_ok, call
from tests.foundation.http.small_app import client_of, small_app

from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.errors import PayloadTooLarge
from midrise.foundation.http.middleware.body_limit import IMPORT_BYTES, USUAL_BYTES, BodyLimit

pytestmark = pytest.mark.anyio


async def read_all(scope, receive, send):
    while (await receive())["more_body"]:
        pass
    await answer_ok(scope, receive, send)


async def send_body(*chunks: bytes, path: str = "/v1/products", length: bytes | None = None):
    headers = [(b"content-length", length)] if length is not None else []
    return await call(BodyLimit(read_all), path, method="POST", headers=headers, chunks=chunks)


@pytest.mark.parametrize("length", [b"0", b"1", str(USUAL_BYTES).encode()])
async def test_a_length_within_the_limit_is_taken(length):
    assert (await send_body(length=length)).status == 200


@pytest.mark.parametrize(
    "length", [str(USUAL_BYTES + 1).encode(), b"9" * 30, b"9" * 5000, b"-1", b"", b"1e3", b"1, 1", b"\xb2"]
)
async def test_another_length_is_refused_before_anything_is_read(length):
    async def never(scope, receive, send):
        pytest.fail("nothing of it is looked at")

    with pytest.raises(PayloadTooLarge):
        await call(BodyLimit(never), method="POST", headers=[(b"content-length", length)])


async def test_a_body_of_unknown_length_may_fill_the_limit():
    half = b"x" * (USUAL_BYTES // 2)
    assert (await send_body(half, half)).status == 200


async def test_a_body_of_unknown_length_is_refused_when_it_gets_too_long():
    read = []

    async def count(scope, receive, send):
        while (message := await receive())["more_body"]:
            read.append(len(message["body"]))

    chunk = b"x" * 65536
    with pytest.raises(PayloadTooLarge):
        await call(BodyLimit(count), method="POST", chunks=[chunk] * 1000)
    assert sum(read) <= USUAL_BYTES


async def test_an_import_may_be_longer():
    path = "/v1/products/import"
    assert (await send_body(path=path, length=str(IMPORT_BYTES).encode())).status == 200
    with pytest.raises(PayloadTooLarge):
        await send_body(path=path, length=str(IMPORT_BYTES + 1).encode())


@post("/things", access=ANYONE)
async def create_thing(data: JSONBody[str]) -> int:
    return len(data)


async def in_chunks(count: int):
    for _ in range(count):
        yield b'"' + b"x" * 65534 + b'"'


async def test_clients_are_told_in_the_one_format():
    async with client_of(small_app(create_thing)) as client:
        declared = await client.post("/things", content=b"x" * (USUAL_BYTES + 1))
        chunked = await client.post(
            "/things", content=in_chunks(17), headers={"content-type": "application/json"}
        )
    for answer in (declared, chunked):
        assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_body_of_just_the_limit_arrives():
    async with client_of(small_app(create_thing)) as client:
        answer = await client.post("/things", json="x" * (USUAL_BYTES - 2))
    assert answer.json() == USUAL_BYTES - 2
