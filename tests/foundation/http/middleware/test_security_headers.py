"""Browsers are told to trust less, whatever the answer is."""

import pytest
from tests.foundation.http.middleware.asgi_calls import answer_ok, call
from tests.foundation.http.small_app import client_of, small_app

from midrise.foundation.http.middleware.security_headers import SecurityHeaders

pytestmark = pytest.mark.anyio

TOLD = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "cross-origin",
    "cache-control": "no-store",
}


async def test_what_an_answer_lacks_is_added():
    assert (await call(SecurityHeaders(answer_ok))).headers == TOLD


async def test_what_an_answer_says_itself_stays():
    async def say(scope, receive, send):
        headers = [
            (b"cache-control", b"public, max-age=60"),
            (b"content-security-policy", b"default-src 'self'"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    headers = (await call(SecurityHeaders(say))).headers
    assert headers["cache-control"] == "public, max-age=60"
    assert headers["content-security-policy"] == "default-src 'self'"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("OPTIONS", "/nowhere"), ("HEAD", "/nowhere")]
)
async def test_errors_have_them_too(method, path):
    async with client_of(small_app()) as client:
        answer = await client.request(method, path)
    assert TOLD.items() <= dict(answer.headers).items()
