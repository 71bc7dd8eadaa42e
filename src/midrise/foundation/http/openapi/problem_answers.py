"""Which errors a call can end with, and how the document says so."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from midrise.foundation.database import OutcomeUnknown
from midrise.foundation.errors import (
    AppError,
    FaultCode,
    Forbidden,
    InternalError,
    Invalid,
    InvalidCursor,
    InvalidParameters,
    LogInNeeded,
    Malformed,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UnknownParameter,
)
from midrise.foundation.http.errors import (
    HeadersTooLarge,
    PayloadTooLarge,
    UnsupportedMediaType,
    UriTooLong,
    status_of,
)
from midrise.foundation.http.openapi.calls import IF_MATCH, Call
from midrise.foundation.http.openapi.headers import headers
from midrise.foundation.http.openapi.json_schemas import JsonSchema, JsonSchemas
from midrise.foundation.http.problems import PROBLEM_JSON, Problem
from midrise.foundation.localization import Language, explanation

_ARGUMENTS: Mapping[str, object] = {
    "accepted": "application/json",
    "count": 2,
    "permission": "products:write",
    "reason": "the reason",
    "resource": "resource",
    "retry_after_seconds": 30,
}
"""What stands in the sentences of examples."""

_FAULTS: Mapping[type[AppError], Sequence[Mapping[str, str]]] = {
    Invalid: [
        {"code": "missing", "detail": "is required", "pointer": "/name"},
        {"code": "too_small", "detail": "must be 0 or more", "pointer": "/price/amount"},
    ],
    UnknownParameter: [
        {"code": "unknown_parameter", "detail": "is not a parameter of this call", "parameter": "page"},
        {"code": "unknown_parameter", "detail": "is not a parameter of this call", "parameter": "size"},
    ],
    InvalidCursor: [
        {"code": "invalid_cursor", "detail": "is not a cursor of this query", "parameter": "cursor"},
    ],
    InvalidParameters: [
        {"code": "too_large", "detail": "must be 100 or less", "parameter": "limit"},
        {"code": "wrong_type", "detail": "must be int, not str", "parameter": "price_min"},
    ],
}
"""What is wrong in examples; the first kind that fits counts."""

_HEADERS_OF_STATUS: Mapping[int, Sequence[str]] = {
    401: ["WWW-Authenticate"],
    412: ["ETag"],
    429: ["Retry-After"],
    503: ["Retry-After"],
}


def errors_of(call: Call) -> Sequence[type[AppError]]:
    """The errors that the call can end with, in the order of their statuses."""
    has_body, takes_input = call.body is not None, call.body is not None or bool(call.parameters)
    conditions: Mapping[type[AppError], bool] = {
        Malformed: True,
        UnknownParameter: True,
        InvalidParameters: takes_input,
        InvalidCursor: call.takes("cursor"),
        Unauthenticated: call.is_versioned and not call.access.ignores_credentials,
        Forbidden: call.access.permission is not None,
        LogInNeeded: call.access.in_person,
        NotFound: call.takes_any("path"),
        PreconditionFailed: call.takes(IF_MATCH),
        PayloadTooLarge: has_body,
        UriTooLong: call.takes_any("path") or call.takes_any("query"),
        UnsupportedMediaType: has_body,
        Invalid: has_body,
        RateLimited: call.is_versioned,
        HeadersTooLarge: call.takes_any("header"),
        InternalError: True,
        Unavailable: call.is_versioned,
        OutcomeUnknown: call.is_versioned and call.method != "GET",
    }
    found = [error for error, happens in conditions.items() if happens]
    found += [error for error in call.errors if error not in found]
    return sorted(found, key=status_of)


class ProblemAnswers:
    """The problem answers of calls. Those of the same errors are one component."""

    def __init__(self, schemas: JsonSchemas) -> None:
        self.components: dict[str, Any] = {}
        self._schema = _problem_schema(schemas)

    def of(self, call: Call) -> dict[str, Any]:
        """Those of a call, by status."""
        by_status: dict[int, list[type[AppError]]] = {}
        for error in errors_of(call):
            by_status.setdefault(status_of(error), []).append(error)
        return {str(status): self._reference(status, errors, call) for status, errors in by_status.items()}

    def _reference(self, status: int, errors: Iterable[type[AppError]], call: Call) -> dict[str, str]:
        kinds = sorted(errors, key=lambda error: error.code)
        names = [*_HEADERS_OF_STATUS.get(status, ()), *_accept_header(status, call.method)]
        key = ".".join([*(error.code for error in kinds), *_accept_header(status, call.method)])
        if not call.is_versioned:
            key = f"operation.{key}"
        if key not in self.components:
            shown_headers = headers(*names, is_versioned=call.is_versioned)
            self.components[key] = _answer(status, kinds, self._schema) | {"headers": shown_headers}
        return {"$ref": f"#/components/responses/{key}"}


def _problem_schema(schemas: JsonSchemas) -> JsonSchema:
    """The component of the one error format; its faults name their closed list of codes."""
    reference = schemas.of_answer(Problem)
    fault = schemas.components["Fault"]
    fault["properties"]["code"] = {"type": "string", "enum": [code.value for code in FaultCode]}
    return reference


def problem_example(error: type[AppError]) -> dict[str, Any]:
    """What the body of such an error looks like."""
    detail = re.sub(r"\{(\w+)\}", lambda match: str(_ARGUMENTS.get(match[1], match[1])), error.detail)
    example: dict[str, Any] = {
        "type": f"/errors/{error.code}",
        "title": error.title,
        "status": status_of(error),
        "detail": detail,
        "code": error.code,
        "instance": "/v1/products",
        "request_id": "0198a2b47c1d7e339f102b6d5a4c3e21",
    }
    faults = next((faults for kind, faults in _FAULTS.items() if issubclass(error, kind)), None)
    return {**example, "errors": faults} if faults else example


def _accept_header(status: int, method: str) -> Sequence[str]:
    if status != status_of(UnsupportedMediaType):
        return ()
    return ("Accept-Patch",) if method == "PATCH" else ("Accept-Post",)


def _answer(status: int, errors: Sequence[type[AppError]], schema: JsonSchema) -> dict[str, Any]:
    codes = [error.code for error in errors]
    narrowed = {"status": {"const": status}, "code": {"enum": codes}}
    texts = [f"`{error.code}`: {explanation(error, Language.ENGLISH)}" for error in errors]
    examples = {error.code: {"summary": error.title, "value": problem_example(error)} for error in errors}
    content = {"schema": {"allOf": [schema, {"properties": narrowed}]}, "examples": examples}
    return {"description": "\n\n".join(texts), "content": {PROBLEM_JSON: content}}
