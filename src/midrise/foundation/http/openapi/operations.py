"""One call as an operation of the document."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from midrise.foundation.http.access import Access
from midrise.foundation.http.binding import MERGE_PATCH
from midrise.foundation.http.openapi.calls import (
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    JSON,
    Call,
    CallParameter,
)
from midrise.foundation.http.openapi.examples import example_of
from midrise.foundation.http.openapi.headers import headers
from midrise.foundation.http.openapi.json_schemas import JsonSchemas
from midrise.foundation.http.openapi.problem_answers import ProblemAnswers

ACCESS_TOKEN = "accessToken"  # noqa: S105  the name of a scheme
API_KEY = "apiKey"


def operation_of(
    call: Call, schemas: JsonSchemas, problems: ProblemAnswers, *, has_tag: bool
) -> dict[str, Any]:
    """The operation; ``has_tag`` says that what it answers has an ETag."""
    operation: dict[str, Any] = {
        "operationId": call.name,
        "tags": [call.tag] if call.tag else [],
        "summary": call.summary,
        "description": _description(call),
        "security": _security(call.access),
        "responses": dict(sorted((problems.of(call) | _answers(call, schemas, has_tag=has_tag)).items())),
    }
    if call.parameters:
        operation["parameters"] = [_parameter(each, schemas) for each in call.parameters]
    if call.body is not None:
        operation["requestBody"] = {"required": True, "content": _body_content(call, schemas)}
    return operation


def _description(call: Call) -> str:
    permission = call.access.permission
    if call.access.in_person:
        return f"{call.description}\n\nNot for API keys: somebody must be logged in."
    return f"{call.description}\n\nNeeds the permission `{permission}`." if permission else call.description


def _security(access: Access) -> list[Mapping[str, list[str]]]:
    if access.ignores_credentials:
        return []
    scopes = [access.permission] if access.permission else []
    known: list[Mapping[str, list[str]]] = [{ACCESS_TOKEN: scopes}]
    if not access.in_person:
        known.append({API_KEY: scopes})
    return known if access.known else [{}, *known]


def _parameter(parameter: CallParameter, schemas: JsonSchemas) -> dict[str, Any]:
    schema = schemas.of_body(parameter.annotation)
    if parameter.default is not None:
        schema["default"] = msgspec.to_builtins(parameter.default)
    shown: dict[str, Any] = {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.is_required,
        "schema": schema,
    }
    if parameter.examples:
        shown["example"] = parameter.examples[0]
    elif parameter.is_required:
        shown["example"] = example_of(schema, schemas)
    return {name: value for name, value in shown.items() if value != ""}


def _body_content(call: Call, schemas: JsonSchemas) -> dict[str, Any]:
    schema = schemas.of_body(call.body)
    content = {"schema": schema, "example": example_of(schema, schemas)}
    return dict.fromkeys((MERGE_PATCH, JSON) if call.method == "PATCH" else (JSON,), content)


def _answers(call: Call, schemas: JsonSchemas, *, has_tag: bool) -> dict[str, Any]:
    names = ["ETag"] if has_tag else []
    if call.status == HTTPStatus.CREATED:
        names.append("Location")
    if call.takes("cursor"):
        names.append("Link")
    if call.takes(IDEMPOTENCY_KEY):
        names.append("Idempotency-Replayed")
    answers = {str(call.status): _answer(call.status, call.answer, call, schemas, names)}
    if call.takes(IF_NONE_MATCH):
        not_modified = _answer(HTTPStatus.NOT_MODIFIED, None, call, schemas, ["ETag"])
        answers["304"] = not_modified | {"description": "The client has the present state"}
    for status, answer in call.other_answers.items():
        other_names = ["Retry-After"] if status == HTTPStatus.SERVICE_UNAVAILABLE else []
        answers[str(status)] = _answer(status, answer, call, schemas, other_names)
    return answers


def _answer(status: int, answer: Any, call: Call, schemas: JsonSchemas, names: list[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": headers(*names, is_versioned=call.is_versioned),
    }
    if answer is not None:
        schema = schemas.of_answer(answer)
        content: dict[str, Any] = {JSON: {"schema": schema, "example": example_of(schema, schemas)}}
        shown["content"] = content | {each: {"schema": {"type": "string"}} for each in call.media_types}
    return shown
