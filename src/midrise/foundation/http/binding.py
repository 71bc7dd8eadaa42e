"""From a request's body to the value that a handler takes: checked whole, every fault named at once.

msgspec decodes and checks in one pass and stops at the first fault. Only when it refuses is the body decoded to
plain values and looked at field by field.
"""

import re
from collections.abc import Generator
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar, Self

import msgspec
from litestar.connection import ASGIConnection
from litestar.dto import AbstractDTO
from litestar.dto.data_structures import DTOFieldDefinition
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import Reference, Schema
from litestar.typing import FieldDefinition

from midrise.foundation.errors import Fault, Invalid, Malformed
from midrise.foundation.http.errors import UnsupportedMediaType
from midrise.foundation.http.faults import MOST_FAULTS, body_faults, nul_faults

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"

_SUSPECT = re.compile(rb'\\u0000|\\(?:n|u000[aA])"')
"""A NUL somewhere, or a line feed at the end of a text: msgspec lets through what patterns don't."""


class BodyDecoder:
    """Decodes bodies of one type."""

    def __init__(self, annotation: Any) -> None:
        self._annotation = annotation
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(annotation)

    def decode(self, body: bytes) -> Any:
        """The value. Raises `Malformed` where the body is no JSON, and `Invalid` where a field is wrong."""
        try:
            value = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._check(body)
            raise Malformed("The body is not what this call takes") from None
        if _SUSPECT.search(body):
            self._check(body)
        return value

    def _check(self, body: bytes) -> None:
        plain = _plain(body)
        try:
            faults = self._faults(plain)
        except RecursionError:  # from Python 3.12 on, msgspec goes deeper than Python itself
            raise _nested_too_deeply() from None
        if faults:
            raise Invalid(faults)

    def _faults(self, plain: Any) -> list[Fault]:
        faults: dict[str | None, Fault] = {}
        for fault in chain(body_faults(plain, self._annotation), nul_faults(plain)):
            # Of several faults of one field the first is the plainest.
            faults.setdefault(fault.pointer, fault)
            if len(faults) == MOST_FAULTS:
                break
        return list(faults.values())


def check_content_type(content_type: str, *, method: str) -> None:
    """Raises `UnsupportedMediaType` for a body that isn't JSON (or, with PATCH, a merge patch)."""
    accepted = _accepted(method)
    media_type, _, parameters = content_type.partition(";")
    charset = parameters.partition("charset=")[2].strip('" ').lower()
    if media_type.strip().lower() not in accepted or charset not in {"", "utf-8", "utf8"}:
        raise UnsupportedMediaType(", ".join(accepted))


@lru_cache(maxsize=64)
def is_accepted(content_type: bytes, *, method: str) -> bool:
    """Whether `check_content_type` raises nothing. Most clients send one of a few."""
    try:
        check_content_type(content_type.decode("latin-1"), method=method)
    except UnsupportedMediaType:
        return False
    return True


class StrictBody(AbstractDTO[Any]):
    """Binds the ``data`` of every handler: Litestar's place for a decoder of one's own."""

    _decoders: ClassVar[dict[str, BodyDecoder]] = {}

    def __init__(self, asgi_connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        self._connection = asgi_connection

    def decode_bytes(self, value: bytes) -> Any:
        connection = self._connection
        method = str(connection.scope.get("method"))
        if connection.headers.get("content-encoding", "identity").lower() != "identity":
            raise UnsupportedMediaType(", ".join(_accepted(method)), is_encoded=True)
        check_content_type(connection.headers.get("content-type", ""), method=method)
        return self._decoders[connection.scope["route_handler"].handler_id].decode(value)

    @classmethod
    def decoder_of(cls, handler: HTTPRouteHandler) -> BodyDecoder:
        """That of the handler's ``data``."""
        return cls._decoders[handler.handler_id]

    @classmethod
    def create_for_field_definition(
        cls, field_definition: FieldDefinition, handler_id: str, backend_cls: Any = None
    ) -> None:
        del backend_cls
        cls._decoders[handler_id] = BodyDecoder(field_definition.annotation)

    @classmethod
    def create_openapi_schema(
        cls, field_definition: FieldDefinition, handler_id: str, schema_creator: Any
    ) -> Reference | Schema:
        del handler_id
        schema: Reference | Schema = schema_creator.for_field_definition(field_definition)
        return schema

    @classmethod
    def is_supported_model_type_field(cls, field_definition: FieldDefinition) -> bool:
        del field_definition
        return True

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Generator[DTOFieldDefinition, None, None]:
        del model_type
        yield from ()

    @classmethod
    def detect_nested_field(cls, field_definition: FieldDefinition) -> bool:
        del field_definition
        return False

    @classmethod
    def __class_getitem__(cls, annotation: Any) -> type[Self]:
        del annotation
        return cls


def _accepted(method: str) -> tuple[str, ...]:
    return (MERGE_PATCH, JSON) if method == "PATCH" else (JSON,)


def _plain(body: bytes) -> Any:
    if not body:
        raise Malformed("The body is empty")
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise _nested_too_deeply() from None
    except UnicodeDecodeError:
        raise Malformed("The body is not UTF-8") from None
    except msgspec.DecodeError as malformed:
        raise Malformed(f"The body is not valid JSON: {malformed}") from None


def _nested_too_deeply() -> Malformed:
    return Malformed("The JSON is nested too deeply")
