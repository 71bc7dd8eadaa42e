"""Every request has an id, which is on its answer and on every line that is logged meanwhile."""

import re

import pytest
import structlog
from structlog.testing import capture_logs
from tests.foundation.http.middleware.asgi_calls import answer_ok, call

from midrise.foundation.http.middleware.request_context import RequestContext
from midrise.foundation.observability import logs

pytestmark = pytest.mark.anyio

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


async def request_id(*ids: bytes) -> str:
    called = await call(RequestContext(answer_ok), headers=[(b"x-request-id", value) for value in ids])
    assert called.scope["state"]["request_id"] == called.headers["x-request-id"]
    return called.headers["x-request-id"]


@pytest.mark.parametrize("given", [b"a", b"01a2.B_c-9", b"x" * 128])
async def test_the_clients_own_id_is_kept(given):
    assert await request_id(given) == given.decode()


@pytest.mark.parametrize(
    "given", [b"", b"x" * 129, b"a b", b"a\nb", b"a\n", b"<script>", b"\xc3\xa9", b"a/b", b"a,b", b'"a"']
)
async def test_another_one_is_replaced(given):
    assert re.fullmatch("[0-9a-f]{32}", await request_id(given))


async def test_without_one_each_request_gets_its_own():
    assert await request_id() != await request_id()


async def test_of_several_the_first_good_one_counts():
    assert await request_id(b"no good", b"good", b"better") == "good"


async def logged(*headers: tuple[bytes, bytes]) -> dict:
    async def log(scope, receive, send):
        structlog.get_logger().info("something")
        await answer_ok(scope, receive, send)

    with capture_logs(processors=[logs.name_request]) as lines:
        await call(RequestContext(log), headers=headers)
    return lines[0]


async def test_lines_carry_the_id_of_the_request():
    assert (await logged((b"x-request-id", b"r42")))["request_id"] == "r42"


async def test_lines_carry_the_trace_of_the_caller():
    line = await logged((b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()))
    assert line["trace_id"] == TRACE


@pytest.mark.parametrize(
    "traceparent",
    [
        "",
        TRACE,
        f"00-{TRACE}-00f067aa0ba902b7",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-00f067aa0ba902b7-01\nevil",
    ],
)
async def test_what_is_no_trace_is_left_out(traceparent):
    assert "trace_id" not in await logged((b"traceparent", traceparent.encode()))


async def test_nothing_of_a_request_is_left_for_the_next():
    await logged((b"traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode()))
    assert "trace_id" not in await logged()


@pytest.mark.parametrize(
    "path", ["/v1/auth/login", "/v1/auth/login/", "//v1/auth/login", "/v1//auth///login", "///v1/auth/login//"]
)
async def test_every_layer_is_told_the_path_that_the_framework_reads(path):
    called = await call(RequestContext(answer_ok), path)
    assert called.scope["path"] == "/v1/auth/login"
