"""Every error is told in one format, with its status and the headers that belong to it."""

import pytest
from litestar import get
from litestar.exceptions import ClientException, HTTPException, ImproperlyConfiguredException
from structlog.testing import capture_logs
from tests.foundation.http.small_app import client_of, small_app

from midrise.foundation import errors
from midrise.foundation.errors import Fault, FaultCode
from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.errors import MethodNotAllowed, PayloadTooLarge, UnsupportedMediaType

pytestmark = pytest.mark.anyio


async def answer_to(error: Exception, **headers: str):
    @get("/things", access=ANYONE)
    async def fail() -> None:
        raise error

    async with client_of(small_app(fail)) as client:
        return await client.get("/things?", headers=headers)


@pytest.mark.parametrize(
    ("error", "status", "code", "headers"),
    [
        (errors.Malformed("no"), 400, "bad_request", {}),
        (errors.InvalidCursor(), 400, "invalid_cursor", {}),
        (errors.Unauthenticated(), 401, "unauthenticated", {"www-authenticate": 'Bearer realm="midrise"'}),
        (errors.Forbidden("things:write"), 403, "forbidden", {}),
        (errors.NotFound("thing"), 404, "not_found", {}),
        (MethodNotAllowed("GET, HEAD"), 405, "method_not_allowed", {"allow": "GET, HEAD"}),
        (errors.Conflict(), 409, "conflict", {}),
        (errors.PreconditionFailed("7.1"), 412, "precondition_failed", {"etag": '"7.1"'}),
        (PayloadTooLarge(), 413, "payload_too_large", {}),
        (UnsupportedMediaType("text/csv"), 415, "unsupported_media_type", {"accept-post": "text/csv"}),
        (errors.Invalid([Fault(FaultCode.MISSING, pointer="/name")]), 422, "validation_failed", {}),
        (errors.TooMany(7), 429, "too_many", {"retry-after": "7"}),
        (errors.RateLimited(7), 429, "rate_limited", {"retry-after": "7"}),
        (errors.Unavailable(2), 503, "unavailable", {"retry-after": "2"}),
        (errors.InternalError(), 500, "internal_error", {}),
        (RuntimeError("a bug"), 500, "internal_error", {}),
        (ImproperlyConfiguredException("a bug"), 500, "internal_error", {}),
        (ClientException("no"), 400, "bad_request", {}),
        (HTTPException("no", status_code=400), 400, "bad_request", {}),
        (HTTPException("no", status_code=418), 500, "internal_error", {}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_an_error_has_its_status_its_code_and_its_headers(error, status, code, headers):
    answer = await answer_to(error)
    assert (answer.status_code, answer.json()["status"], answer.json()["code"]) == (status, status, code)
    assert headers.items() <= dict(answer.headers).items()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"


async def test_a_problem_says_what_where_and_under_which_id():
    answer = await answer_to(errors.NotFound("thing"), **{"X-Request-ID": "r42"})
    assert answer.json() == {
        "type": "/errors/not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such thing",
        "code": "not_found",
        "instance": "/things",
        "request_id": "r42",
    }
    assert answer.headers["x-request-id"] == "r42"


async def test_a_fault_says_its_one_place():
    faults = [
        Fault(FaultCode.MISSING, pointer="/name"),
        Fault(FaultCode.TOO_SMALL, parameter="limit", arguments={"limit": 1}),
        Fault(FaultCode.WRONG_FORMAT, header="If-Match", arguments={"expected": "an ETag in quotes, or *"}),
    ]
    assert (await answer_to(errors.Invalid(faults))).json()["errors"] == [
        {"code": "missing", "detail": "is required", "pointer": "/name"},
        {"code": "too_small", "detail": "must be 1 or more", "parameter": "limit"},
        {"code": "wrong_format", "detail": "must be an ETag in quotes, or *", "header": "If-Match"},
    ]


async def test_a_bug_is_in_the_log_and_not_in_the_answer():
    with capture_logs() as lines:
        answer = await answer_to(RuntimeError("canary at /srv/app.py: SELECT password FROM users"))
    assert "canary" not in answer.text
    assert set(answer.json()) == {"type", "title", "status", "detail", "code", "instance", "request_id"}
    (failure,) = [line for line in lines if line["event"] == "request.failed"]
    assert "canary" in str(failure["exc_info"])


async def test_what_is_foreseen_is_not_logged_as_a_failure():
    with capture_logs() as lines:
        await answer_to(errors.NotFound("thing"))
    assert [line["event"] for line in lines] == ["request"]


async def test_title_and_detail_follow_the_client_and_the_code_does_not():
    english = (await answer_to(errors.NotFound("resource"))).json()
    bengali = (await answer_to(errors.NotFound("resource"), **{"Accept-Language": "bn-BD, en;q=0.5"})).json()
    assert bengali["code"] == english["code"]
    assert bengali["title"] != english["title"]
    assert bengali["detail"] != english["detail"]


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense", "*/*;q=0"])
async def test_whatever_is_asked_for_it_is_problem_json(accept):
    answer = await answer_to(errors.NotFound("thing"), Accept=accept)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"
