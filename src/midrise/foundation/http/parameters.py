"""Query and path parameters: each must be known, stand once and hold no NUL; common ones are defined here."""

from typing import Annotated, Any
from urllib.parse import parse_qsl

from litestar import Litestar, Request
from litestar.exceptions import ValidationException
from litestar.handlers.base import BaseRouteHandler
from litestar.params import HeaderParameter, QueryParameter
from litestar.routes import HTTPRoute

from midrise.foundation.errors import (
    Fault,
    FaultCode,
    InvalidParameters,
    Malformed,
    NotFound,
    UnknownParameter,
)
from midrise.foundation.http.faults import fault_of
from midrise.foundation.paging import LARGEST_LIMIT

Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=LARGEST_LIMIT, description="Items on a page")]
Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", max_length=1000, description="`next_cursor` of the page before"),
]


class ParameterCheck:
    """Refuses parameters that an operation does not declare. Made once the routes are known."""

    def __init__(self, app: Litestar) -> None:
        self._declared: dict[object, frozenset[str]] = {}
        for route in app.routes:
            if isinstance(route, HTTPRoute):
                for handler, model in route.route_handler_map.values():
                    names = frozenset(parameter.field_alias for parameter in model.expected_query_params)
                    self._declared[handler] = names

    def check(self, request: Request[Any, Any, Any]) -> None:
        """Raises `UnknownParameter` or `InvalidParameters` naming each that is wrong."""
        scope = request.scope
        if "\0" in scope["path"]:
            raise NotFound
        query = scope["query_string"]
        if not query:
            return
        try:
            given = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            raise Malformed("The query string is not UTF-8 in percent-encoding") from None
        declared = self._declared[scope["route_handler"]]
        names = [name for name, _ in given]
        unknown = [
            Fault(FaultCode.UNKNOWN_PARAMETER, parameter=name[:100]) for name in names if name not in declared
        ]
        if unknown:
            raise UnknownParameter(unknown)
        faults = [
            Fault(FaultCode.REPEATED, parameter=name) for name in sorted(set(names)) if names.count(name) > 1
        ]
        faults += [Fault(FaultCode.NUL_CHARACTER, parameter=name) for name, value in given if "\0" in value]
        if faults:
            raise InvalidParameters(faults)


def parameter_error(invalid: ValidationException, handler: BaseRouteHandler) -> Malformed:
    """What Litestar found wrong with parameters or headers, as the error to tell."""
    faults = [_parameter_fault(entry, handler) for entry in invalid.extra or () if isinstance(entry, dict)]
    found = [fault for fault in faults if fault is not None]
    if not found:
        return Malformed("The body is empty")
    return InvalidParameters(found)


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
