"""The document of the whole application: valid, complete, bounded, and with examples that are right."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.documented import DOCUMENT, UNDOCUMENTED

from midrise.app import create_application
from midrise.foundation.http.openapi import OpenApi, document_of
from midrise.foundation.http.openapi.examples import PLACEHOLDER

BOUNDED_BY = {"maxLength", "enum", "const", "pattern", "format"}


@pytest.fixture(scope="module")
def framework(settings) -> Litestar:
    described = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OpenApi, "describe", lambda _, app: described.append(app))
        create_application(settings, process="tests")
    return described[0]


@pytest.fixture(scope="module")
def document(framework) -> dict[str, Any]:
    return document_of(framework)


def operations(document) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def schemas_in(value) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "type" in value:
            yield value
        for each in value.values():
            yield from schemas_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from schemas_in(each)


def test_it_is_valid_openapi(document):
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_is_in_it(framework, document):
    routes = {
        f"{method} {route.path_format}"
        for route in framework.routes
        if isinstance(route, HTTPRoute) and not UNDOCUMENTED.fullmatch(route.path_format)
        for method in route.methods - {"OPTIONS"}
    }
    assert routes == {name for name, _ in operations(document)}


def test_every_operation_says_what_it_is(document):
    for name, operation in operations(document):
        for part in ("operationId", "summary", "description", "tags"):
            assert operation[part], f"{name} has no {part}"


def test_every_body_and_answer_has_an_example(document):
    for name, operation in operations(document):
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [answer.get("content", {}) for answer in operation["responses"].values()]
        for content in contents:
            for media_type, shown in content.items():
                assert media_type == "text/html" or "example" in shown, f"{name}: {media_type} has no example"


def test_no_example_is_a_mere_placeholder(document):
    for name, operation in operations(document):
        for place in _with_examples(operation):
            assert PLACEHOLDER not in _values(place.get("example")), f"{name}: {place['example']}"


def test_every_example_fits_its_schema(document):
    registry = jsonschema_rs.Registry([(DOCUMENT, document)])

    def is_right(value, schema) -> bool:
        found = _absolute(schema)
        validator = jsonschema_rs.Draft202012Validator(found, registry=registry, validate_formats=True)
        return validator.is_valid(value)

    for place in _with_examples(document):
        values = [each["value"] for each in place.get("examples", {}).values()]
        values += [place["example"]] if "example" in place else []
        for value in values:
            assert is_right(value, place["schema"]), f"{value} does not fit {place['schema']}"


def test_everything_a_client_sends_has_bounds(document):
    sent = [operation.get("parameters", []) for _, operation in operations(document)]
    sent += [_bodies_in(document)]
    for schema in schemas_in(sent):
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if "string" in kinds:
            assert BOUNDED_BY & set(schema), f"{schema} has no bounds"
        if {"integer", "number"} & set(kinds):
            assert {"minimum", "maximum"} <= set(schema), f"{schema} has no bounds"
        if "array" in kinds:
            assert "maxItems" in schema, f"{schema} has no bounds"


def test_bodies_take_nothing_unknown(document):
    for body in _bodies_in(document):
        for schema in schemas_in(body):
            if schema["type"] == "object" and "properties" in schema:
                assert schema["additionalProperties"] is False


def _bodies_in(document) -> list[dict[str, Any]]:
    """Every schema that a request body reaches."""
    names: set[str] = set()
    waiting = [operation["requestBody"] for _, operation in operations(document) if "requestBody" in operation]
    components = document["components"]["schemas"]
    while waiting:
        fresh = {reference.rpartition("/")[2] for reference in _references(waiting.pop())} - names
        names |= fresh
        waiting += [components[name] for name in fresh]
    return [components[name] for name in sorted(names)]


def _values(value) -> list[Any]:
    if isinstance(value, dict):
        return [each for member in value.values() for each in _values(member)]
    return [each for member in value for each in _values(member)] if isinstance(value, list) else [value]


def _references(value) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _with_examples(value) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "schema" in value and ("example" in value or "examples" in value):
            yield value
        for each in value.values():
            yield from _with_examples(each)
    elif isinstance(value, list):
        for each in value:
            yield from _with_examples(each)


def _absolute(value):
    """The schema with references into the document."""
    if isinstance(value, dict):
        return {name: DOCUMENT + each if name == "$ref" else _absolute(each) for name, each in value.items()}
    return [_absolute(each) for each in value] if isinstance(value, list) else value
