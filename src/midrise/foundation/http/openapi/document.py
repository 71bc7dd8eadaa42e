"""The OpenAPI 3.1 document: what every call takes and answers, from the same types that read and write it."""

from collections.abc import Sequence
from importlib.metadata import metadata
from typing import Any

from litestar import Litestar

from midrise.foundation.http.openapi.calls import IF_NONE_MATCH, Call, calls_of, tags_of
from midrise.foundation.http.openapi.headers import HEADERS
from midrise.foundation.http.openapi.json_schemas import JsonSchemas
from midrise.foundation.http.openapi.operations import ACCESS_TOKEN, API_KEY, operation_of
from midrise.foundation.http.openapi.problem_answers import ProblemAnswers

_DESCRIPTION = """\
Accounts, roles and a product catalogue.

**Errors** are `application/problem+json` (RFC 9457) everywhere; `code` never changes, and `type` leads \
to its explanation. Any call may also be refused before it is reached, with 405, 408, 413, 414, 431, 501 (an \
unknown transfer coding) or 505 (an unknown version of HTTP), and end with 502, 503 or 504 when the service \
breaks off. `title` and `detail` follow `Accept-Language` (English, Bengali).

**Requests** name only fields and parameters that are known; another one is an error, and so is the NUL \
character in text. `PATCH` is a JSON merge patch (RFC 7396). `HEAD` is answered wherever `GET` \
is. An `X-Request-ID` of the client is kept and comes back.

**Lists** go by cursor: pass `next_cursor` as `cursor`, with the same filters, until it is null.

**Concurrency**: what has an `ETag` is changed with `If-Match`, and read again with `If-None-Match`: where \
nothing changed the answer is a short 304.

**Limits**: `RateLimit` says what is left of the quota in `RateLimit-Policy`; a refused call says in \
`Retry-After` when to come back.
"""

_SECURITY_SCHEMES = {
    ACCESS_TOKEN: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a session, from `POST /v1/auth/login`; it lives 10 minutes",
    },
    API_KEY: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "mr_…",
        "description": "An API key, for programs",
    },
}


class CallsShareName(Exception):
    """Two calls have the same name, by which clients' code would call them; the text names them."""


def document_of(app: Litestar) -> dict[str, Any]:
    """The document of the application's calls. Raises `CallsShareName` and `SchemaUnknown`."""
    calls = calls_of(app)
    _refuse_shared_names(calls)
    schemas = JsonSchemas()
    problems = ProblemAnswers(schemas)
    paths = _paths(calls, schemas, problems)
    schemas.settle_names(paths)
    package = metadata("midrise")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Midrise",
            "version": package["Version"],
            "summary": package["Summary"],
            "description": _DESCRIPTION,
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in sorted(tags_of(app).items())],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": dict(sorted(problems.components.items())),
            "headers": HEADERS,
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


def _paths(calls: Sequence[Call], schemas: JsonSchemas, problems: ProblemAnswers) -> dict[str, Any]:
    tagged = [call.answer for call in calls if call.takes(IF_NONE_MATCH)]
    paths: dict[str, Any] = {}
    for call in calls:
        # A resource that can be read by its tag is answered with it by whatever makes or changes it.
        has_tag = call.takes(IF_NONE_MATCH) or (call.method != "GET" and call.answer in tagged)
        operation = operation_of(call, schemas, problems, has_tag=has_tag)
        paths.setdefault(call.path, {})[call.method.lower()] = operation
    return paths


def _refuse_shared_names(calls: Sequence[Call]) -> None:
    named: dict[str, Call] = {}
    for call in calls:
        other = named.setdefault(call.name, call)
        if other is not call:
            raise CallsShareName(
                f"{call.method} {call.path} and {other.method} {other.path} are both named {call.name}."
            )
