"""Browsers may call from the origins of the setting, and from no others."""

import pytest
from tests.foundation.http.middleware.asgi_calls import answer_ok, call

from midrise.foundation.http.middleware.cors import Cors, Origins

pytestmark = pytest.mark.anyio

SHOP = b"https://shop.example"
STRANGERS = [
    *(
        b"https://evil.example",
        b"http://shop.example",
        b"https://shop.example:8443",
        b"https://shop.example.evil",
    ),
    *(b"https://SHOP.example", b"null", b"", b"https://shop.example/"),
]


async def ask(*headers: tuple[bytes, bytes], method: str = "GET", app=answer_ok):
    return await call(Cors(app, origins=Origins(["https://shop.example"])), method=method, headers=headers)


async def test_an_origin_of_the_setting_may_read_the_answer():
    called = await ask((b"origin", SHOP))
    assert called.headers["access-control-allow-origin"] == "https://shop.example"
    exposed = called.headers["access-control-expose-headers"].split(", ")
    assert {"ETag", "Link", "Location", "RateLimit", "Retry-After", "X-Request-ID"} <= set(exposed)
    assert called.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in called.headers


@pytest.mark.parametrize("origin", STRANGERS)
async def test_another_origin_may_not(origin):
    called = await ask((b"origin", origin))
    assert called.headers == {"vary": "Origin"}
    assert called.body == b"ok", "who is no browser gets its answer"


async def test_the_answer_varies_by_origin_even_without_one():
    assert (await ask()).headers == {"vary": "Origin"}


async def test_a_preflight_of_the_setting_says_what_may_be_sent():
    called = await ask((b"origin", SHOP), (b"access-control-request-method", b"PATCH"), method="OPTIONS")
    assert called.status == 204
    assert called.body == b""
    assert called.headers["access-control-allow-origin"] == "https://shop.example"
    methods = set(called.headers["access-control-allow-methods"].split(", "))
    assert methods == {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
    headers = set(called.headers["access-control-allow-headers"].split(", "))
    assert {"Authorization", "Content-Type", "If-Match", "Idempotency-Key", "Consistency-Token"} <= headers
    assert int(called.headers["access-control-max-age"]) > 0


@pytest.mark.parametrize("origin", STRANGERS[:-2])
async def test_a_preflight_of_another_origin_says_nothing(origin):
    called = await ask((b"origin", origin), (b"access-control-request-method", b"GET"), method="OPTIONS")
    assert not [name for name in called.headers if name.startswith("access-control-")]


async def test_options_that_is_no_preflight_goes_on():
    assert (await ask((b"origin", SHOP), method="OPTIONS")).body == b"ok"
    assert (await ask((b"access-control-request-method", b"GET"), method="OPTIONS")).body == b"ok"


async def test_an_error_can_be_read_as_well():
    async def refuse(scope, receive, send):
        await send({"type": "http.response.start", "status": 422, "headers": [(b"etag", b'"1"')]})
        await send({"type": "http.response.body", "body": b""})

    called = await ask((b"origin", SHOP), app=refuse)
    assert (called.status, called.headers["etag"]) == (422, '"1"')
    assert called.headers["access-control-allow-origin"] == "https://shop.example"
