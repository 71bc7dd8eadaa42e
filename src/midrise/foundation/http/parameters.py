"""Query parameters: each must be known, stand once and be spelt as its type says; common ones stand here."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from litestar import Litestar, Request
from litestar.exceptions import ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler
from litestar.params import HeaderParameter, QueryParameter
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition

from midrise.foundation.errors import (
    Fault,
    FaultCode,
    InvalidParameters,
    Malformed,
    NotFound,
    UnknownParameter,
)
from midrise.foundation.http.faults import MOST_FAULTS, fault_of, text_fault
from midrise.foundation.paging import LARGEST_LIMIT

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=LARGEST_LIMIT, description="Items on a page")]
Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", max_length=1000, description="`next_cursor` of the page before"),
]

_MOST_REMEMBERED = 1024
_LONGEST_REMEMBERED = 50
_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length")


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How the values of a type are spelt, and what msgspec says of a text that is none of them."""

    pattern: re.Pattern[str]
    refusal: str


_SPELLINGS: Mapping[object, _Spelling] = {
    bool: _Spelling(re.compile("true|false"), "Expected `bool`, got `str`"),
    int: _Spelling(re.compile("-?(?:0|[1-9][0-9]*)"), "Expected `int`, got `str`"),
    datetime: _Spelling(
        # Without the first and the last year, from which an offset leads out of the calendar.
        re.compile(r"(?!000[01]|9999)[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]+(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"),
        "Invalid RFC3339 encoded datetime",
    ),
}
"""Where msgspec is more lenient with texts than JSON Schema: it takes `1` for true, `1e3` for a thousand, the
seconds since 1970 for a time, and a time without an offset."""


class ParameterCheck:
    """Refuses parameters that an operation does not declare, and values that are not of their type.

    Made once the routes are known.
    """

    def __init__(self, app: Litestar) -> None:
        self._declared: dict[object, Mapping[str, _Declared]] = {}
        for route in app.routes:
            if isinstance(route, HTTPRoute):
                for handler, _ in route.route_handler_map.values():
                    self._declared[handler] = dict(_query_parameters(handler))

    def check(self, request: Request[Any, Any, Any]) -> None:
        """Raises `UnknownParameter` or `InvalidParameters` naming each that is wrong."""
        scope = request.scope
        if "\0" in scope["path"]:
            raise NotFound
        if scope["query_string"]:
            self.texts(scope["query_string"], scope["route_handler"])

    def texts(self, query: bytes, handler: object) -> Mapping[str, str]:
        """The parameters of a query by name, as they were sent. Raises as `check` does."""
        given = pairs_of(query)
        declared = self._declared[handler]
        unknown = [
            Fault(FaultCode.UNKNOWN_PARAMETER, parameter=name[:100])
            for name, _ in given
            if name not in declared
        ]
        faults = [*unknown, *_faults(given, declared)][:MOST_FAULTS]
        if unknown:
            raise UnknownParameter(faults)
        if faults:
            raise InvalidParameters(faults)
        return dict(given)


@lru_cache(maxsize=128)  # that of one request is asked for more than once, no more
def pairs_of(query: bytes) -> Sequence[tuple[str, str]]:
    """The parameters of a query in their order. Raises `Malformed`."""
    try:
        text = query.decode("ascii")
        if "%" in text or "+" in text:
            return parse_qsl(text, keep_blank_values=True, errors="strict")
        return [(name, value) for name, _, value in [part.partition("=") for part in text.split("&") if part]]
    except UnicodeDecodeError:
        raise Malformed("The query string is not UTF-8 in percent-encoding") from None


def parameter_error(invalid: ValidationException, handler: BaseRouteHandler) -> Malformed:
    """What Litestar found wrong with parameters or headers, as the error to tell."""
    faults = [_parameter_fault(entry, handler) for entry in invalid.extra or () if isinstance(entry, dict)]
    found = [fault for fault in faults if fault is not None]
    if not found:
        return Malformed("The body is empty")
    return InvalidParameters(found)


def parameters_of(handler: HTTPRouteHandler) -> Iterator[tuple[str, FieldDefinition]]:
    """What the handler takes by name, and what the providers of its dependencies take."""
    yield from _fields(handler.parsed_fn_signature.parameters, handler)


def value_type(definition: FieldDefinition) -> Any:
    """The type of a parameter's values, with their bounds. It is there or not: there is no null to send."""
    annotation, kwarg = definition.annotation, definition.kwarg_definition
    if get_origin(annotation) in {Union, UnionType}:
        options = (option for option in get_args(annotation) if option is not NoneType)
        annotation = Union[tuple(options)]  # noqa: UP007  the options are known at run time alone
    bounds = {bound: getattr(kwarg, bound) for bound in _BOUNDS if getattr(kwarg, bound, None) is not None}
    return Annotated[annotation, msgspec.Meta(**bounds)] if bounds else annotation


@dataclass(frozen=True, slots=True, eq=False)
class _Declared:
    """A query parameter that an operation declares."""

    annotation: Any
    spelling: _Spelling | None

    def fault(self, name: str, text: str) -> Fault | None:
        # Most values come again and again: `limit=20`.
        return _known_fault(self, name, text) if len(text) <= _LONGEST_REMEMBERED else self.look(name, text)

    def look(self, name: str, text: str) -> Fault | None:
        if "\0" in text:
            return Fault(FaultCode.NUL_CHARACTER, parameter=name)
        if self.spelling is not None and not self.spelling.pattern.fullmatch(text):
            code, arguments = fault_of(self.spelling.refusal)
            return Fault(code, parameter=name, arguments=arguments)
        found = text_fault(text, self.annotation)
        return Fault(found[0], parameter=name, arguments=found[1]) if found else None


@lru_cache(maxsize=_MOST_REMEMBERED)
def _known_fault(declared: _Declared, name: str, text: str) -> Fault | None:
    return declared.look(name, text)


def _query_parameters(handler: HTTPRouteHandler) -> Iterator[tuple[str, _Declared]]:
    for field_name, definition in parameters_of(handler):
        kwarg = definition.kwarg_definition
        if isinstance(kwarg, QueryParameter):
            annotation = value_type(definition)
            unbounded = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
            spelling = next((spelt for kind, spelt in _SPELLINGS.items() if kind is unbounded), None)
            yield kwarg.name or field_name, _Declared(annotation, spelling)


def _fields(
    fields: Mapping[str, FieldDefinition], handler: HTTPRouteHandler
) -> Iterator[tuple[str, FieldDefinition]]:
    providers = handler.resolve_dependencies()
    for name, definition in fields.items():
        if name in providers:
            yield from _fields(providers[name].parsed_fn_signature.parameters, handler)
        else:
            yield name, definition


def _faults(given: Sequence[tuple[str, str]], declared: Mapping[str, _Declared]) -> Iterator[Fault]:
    """At most one of each parameter, in the order in which they stand."""
    names = [name for name, _ in given]
    for name, text in dict(given).items():
        if name not in declared:
            continue
        if names.count(name) > 1:
            yield Fault(FaultCode.REPEATED, parameter=name)
        elif (fault := declared[name].fault(name, text)) is not None:
            yield fault


def _parameter_fault(entry: dict[str, Any], handler: BaseRouteHandler) -> Fault | None:
    field_name = str(entry.get("key", "")).partition(".")[0]
    if field_name == "data" or entry.get("source") == "body":
        return None
    fields = handler.parsed_fn_signature.parameters
    field = fields.get(field_name)
    kwarg = field.kwarg_definition if field else None
    name = getattr(kwarg, "name", None) or field_name
    code, arguments = fault_of(str(entry.get("message", "")), field.annotation if field else None)
    if isinstance(kwarg, HeaderParameter):
        return Fault(code, header=name, arguments=arguments)
    return Fault(code, parameter=name, arguments=arguments)
