"""Holds answers against the OpenAPI document: an answer that it doesn't describe fails the test that got it."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
import jsonschema_rs

DOCUMENT = "urn:midrise:openapi"
PROBLEM = "#/components/schemas/Problem"
UNDOCUMENTED = re.compile(r"/(docs(/.*)?|reference|metrics)")
"""Pages for browsers, and the metrics of the inside."""

_NOT_ALWAYS = {"Idempotency-Replayed", "Link", "Location", "RateLimit", "RateLimit-Policy"}
"""Documented headers that an answer may lack: the last page has no next one, and limits can be off."""


class DocumentedAnswers:
    """The answers that a document describes."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._registry = jsonschema_rs.Registry([(DOCUMENT, document)])
        self._headers = {name.lower(): name for name in document["components"]["headers"]}
        self._validators: dict[str, Any] = {}
        self._paths = {template: _pattern(template) for template in document["paths"]}

    def check(self, answer: httpx.Response) -> None:
        """Raises `AssertionError` for an answer that the document doesn't describe; its body must be read."""
        method, path = answer.request.method, answer.request.url.path
        if UNDOCUMENTED.fullmatch(path) or method == "OPTIONS":
            return
        template = self._template(path)
        operation = self._document["paths"].get(template, {}).get(_documented_method(method))
        if operation is None:
            self._check_refusal(answer, is_known_path=template is not None)
            return
        place = f"{method} {template} → {answer.status_code}"
        assert str(answer.status_code) in operation["responses"], f"{place} is not in the document"
        pointer = (
            f"#/paths/{_escape(str(template))}/{_documented_method(method)}/responses/{answer.status_code}"
        )
        response = operation["responses"][str(answer.status_code)]
        if "$ref" in response:
            pointer = response["$ref"]
            response = self._document["components"]["responses"][pointer.rpartition("/")[2]]
        self._check_headers(answer, response, place)
        self._check_content(answer, response, pointer=pointer, place=place)

    def _template(self, path: str) -> str | None:
        fitting = [template for template, pattern in self._paths.items() if pattern.fullmatch(path)]
        return min(fitting, key=lambda template: template.count("{"), default=None)

    def _check_refusal(self, answer: httpx.Response, *, is_known_path: bool) -> None:
        place = f"{answer.request.method} {answer.request.url.path} → {answer.status_code}"
        assert answer.is_error, f"{place} is not in the document"
        if answer.request.method != "HEAD":
            self._assert_valid(answer.json(), PROBLEM, place)
        if answer.status_code == 405:
            assert is_known_path, f"{place}: the path is not in the document"

    def _check_headers(self, answer: httpx.Response, response: Mapping[str, Any], place: str) -> None:
        documented = set(response.get("headers", ()))
        present = {self._headers[name] for name in answer.headers if name in self._headers}
        assert present <= documented, f"{place}: {present - documented} is not in the document"
        lacking = documented - present - _NOT_ALWAYS
        assert not lacking, f"{place} lacks {lacking}"

    def _check_content(
        self, answer: httpx.Response, response: Mapping[str, Any], *, pointer: str, place: str
    ) -> None:
        content = response.get("content")
        if content is None or answer.request.method == "HEAD":
            assert not answer.content, f"{place} has a body"
            return
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in content, f"{place}: {media_type} is not in the document"
        if media_type.endswith("json"):
            self._assert_valid(answer.json(), f"{pointer}/content/{_escape(media_type)}/schema", place)

    def _assert_valid(self, value: Any, pointer: str, place: str) -> None:
        wrong = [
            f"{error.instance_path}: {error.message}" for error in self._validator(pointer).iter_errors(value)
        ]
        assert not wrong, f"{place} does not fit the document: {wrong}"

    def _validator(self, pointer: str) -> Any:
        if pointer not in self._validators:
            self._validators[pointer] = jsonschema_rs.Draft202012Validator(
                {"$ref": f"{DOCUMENT}{pointer}"}, registry=self._registry, validate_formats=True
            )
        return self._validators[pointer]


class AnswerCheck:
    """A hook for clients of an application: every answer is held against the application's own document."""

    _documented: DocumentedAnswers | None = None

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, answer: httpx.Response) -> None:
        await answer.aread()
        if AnswerCheck._documented is None:
            # The document is that of the code, whatever the settings: once is enough.
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                AnswerCheck._documented = DocumentedAnswers((await client.get("/openapi.json")).json())
        AnswerCheck._documented.check(answer)


def _documented_method(method: str) -> str:
    return "get" if method == "HEAD" else method.lower()


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))


def _escape(token: str) -> str:
    """A step of a JSON Pointer, as part of a URI."""
    escaped = token.replace("~", "~0").replace("/", "~1")
    return escaped.replace("{", "%7B").replace("}", "%7D").replace("+", "%2B")
