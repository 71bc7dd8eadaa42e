"""Whatever is raised is answered in the one format, or breaks off what has begun."""

import pytest
from structlog.testing import capture_logs
from tests.foundation.http.middleware.asgi_calls import answer_ok, call

from midrise.foundation.errors import NotFound, Unavailable
from midrise.foundation.http.answer_head import AnswerHead
from midrise.foundation.http.middleware.error_boundary import ErrorBoundary

pytestmark = pytest.mark.anyio


def raising(error: BaseException, *, begun: bool = False):
    async def fail(scope, receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise error

    return ErrorBoundary(fail)


async def test_an_answer_goes_through():
    assert (await call(ErrorBoundary(answer_ok))).body == b"ok"


async def test_an_error_of_the_application_is_told():
    with capture_logs() as lines:
        called = await call(raising(Unavailable(3)), "/v1/things")
    assert called.status == 503
    assert called.headers["retry-after"] == "3"
    assert called.headers["content-type"] == "application/problem+json"
    assert called.headers["content-length"] == str(len(called.body))
    assert b'"code":"unavailable"' in called.body
    assert b'"instance":"/v1/things"' in called.body
    assert b'"request_id":"r1"' in called.body
    assert lines == []


async def test_a_bug_is_logged_and_nothing_of_it_is_told():
    with capture_logs() as lines:
        called = await call(raising(RuntimeError("canary in /srv/app.py")))
    assert called.status == 500
    assert b'"code":"internal_error"' in called.body
    assert b"canary" not in called.body
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("request.failed", "error")
    assert line["exc_info"]


@pytest.mark.parametrize("error", [RuntimeError("a bug"), NotFound("thing")])
async def test_an_answer_that_has_begun_is_broken_off(error):
    sent, head = [], AnswerHead()

    async def send(message):
        head.status = head.status or message.get("status", 0)
        sent.append(message)

    scope = {"type": "http", "path": "/", "method": "GET", "headers": [], "state": {"answer": head}}
    with capture_logs(), pytest.raises(type(error)):
        await raising(error, begun=True)(scope, None, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def test_it_is_told_in_the_language_of_the_client():
    called = await call(raising(NotFound("thing")), headers=[(b"accept-language", b"bn")])
    assert "পাওয়া যায়নি" in called.body.decode()
