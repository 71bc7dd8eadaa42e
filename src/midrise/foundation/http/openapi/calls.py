"""The calls of the application as its routes declare them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import getdoc
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from litestar import Litestar, Response
from litestar.enums import ParamType
from litestar.handlers import HTTPRouteHandler
from litestar.params import ParameterKwarg
from litestar.routes import HTTPRoute
from litestar.types import Empty
from litestar.typing import FieldDefinition

from midrise.foundation.database.idempotency import IdempotencyInProgress, IdempotencyKeyReused
from midrise.foundation.database.positions import InvalidConsistencyToken
from midrise.foundation.errors import AppError
from midrise.foundation.http.access import KNOWN_CALLER, Access
from midrise.foundation.http.parameters import parameters_of, value_type

IDEMPOTENCY_KEY = "Idempotency-Key"
IF_MATCH = "If-Match"
IF_NONE_MATCH = "If-None-Match"
JSON = "application/json"

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class CallParameter:
    """A parameter; ``annotation`` is its type with its bounds, ``default`` None where it has none."""

    name: str
    place: str
    annotation: Any
    description: str
    is_required: bool
    default: Any = None
    examples: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """One operation: who may call it, what it takes, and what it answers.

    ``body`` and ``answer`` are types, None where there is nothing. ``other_answers`` are those of other
    statuses that are no errors; ``media_types`` are those that ``answer`` can come in besides JSON.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str
    access: Access
    status: int
    answer: Any
    body: Any
    parameters: Sequence[CallParameter] = ()
    errors: Sequence[type[AppError]] = ()
    other_answers: Mapping[int, Any] = field(default_factory=dict)
    media_types: Sequence[str] = ()

    @property
    def is_versioned(self) -> bool:
        return self.path.startswith("/v1/")

    def takes(self, name: str) -> bool:
        """Whether it has a parameter or header of that name."""
        return any(parameter.name == name for parameter in self.parameters)

    def takes_any(self, place: str) -> bool:
        return any(parameter.place == place for parameter in self.parameters)


_KEY_PATTERN = r'^([!#-~]([ -~]{0,253}[!-~])?|"([ !#-\[\]-~]|\\["\\]){1,255}")$'
"""1 to 255 printable ASCII characters, bare or in quotes: what `middleware/idempotency.py` takes."""

_REPEATABLE = CallParameter(
    name=IDEMPOTENCY_KEY,
    place="header",
    annotation=Annotated[str, msgspec.Meta(pattern=_KEY_PATTERN)],
    description="The same key with the same body, byte for byte, gives the first answer again for 24 hours; "
    "log-in, refresh and log-out keep nothing",
    is_required=False,
    examples=["7c9e6679-7425-40de-944b-e07fc1f90ae7"],
)
_CONDITIONAL = CallParameter(
    name=IF_NONE_MATCH,
    place="header",
    annotation=Annotated[str, msgspec.Meta(max_length=1000)],
    description="The ETag that is known; the same is 304",
    is_required=False,
)
_CONSISTENT = CallParameter(
    name="Consistency-Token",
    place="header",
    annotation=Annotated[str, msgspec.Meta(max_length=100)],
    description="That of the last answer, as it came: this one is then no older",
    is_required=False,
)
_REPEAT_ERRORS = (IdempotencyKeyReused, IdempotencyInProgress)


def calls_of(app: Litestar) -> Sequence[Call]:
    """Every documented call, by path and method."""
    found = [
        _call(route, handler, method)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if method in _METHODS and handler.resolve_include_in_schema()
    ]
    return sorted(found, key=lambda call: (not call.is_versioned, call.path, _METHODS.index(call.method)))


def tags_of(app: Litestar) -> Mapping[str, str]:
    """The groups of calls, each with what its controller says of itself."""
    described: dict[str, str] = {}
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else ():
            for tag in handler.resolve_tags():
                described.setdefault(tag, getdoc(type(handler.owner)) or tag)
    return described


def _call(route: HTTPRoute, handler: HTTPRouteHandler, method: str) -> Call:
    signature = handler.parsed_fn_signature
    body = signature.parameters.get("data")
    options = handler.opt
    # The header is a middleware's, for every POST.
    is_repeatable = method == "POST"
    is_versioned = route.path.startswith("/v1/")
    return Call(
        method=method,
        path=route.path_format or "/",
        name=handler.operation_id if isinstance(handler.operation_id, str) else handler.handler_name,
        tag=next(iter(handler.resolve_tags()), ""),
        summary=handler.summary or handler.handler_name.replace("_", " ").capitalize(),
        description=" ".join((handler.description or getdoc(handler.fn) or "").split()),
        access=options.get("access", KNOWN_CALLER),
        status=handler.status_code,
        answer=_answer(signature.return_type.raw),
        body=body.annotation if body else None,
        parameters=[
            *_parameters(handler, route),
            *([_REPEATABLE] if is_repeatable else []),
            *([_CONDITIONAL] if _is_tagged_by_middleware(handler) else []),
            *([_CONSISTENT] if is_versioned else []),
        ],
        errors=[
            *options.get("errors", ()),
            *(_REPEAT_ERRORS if is_repeatable else []),
            *([InvalidConsistencyToken] if is_versioned else []),
        ],
        other_answers=options.get("other_answers", {}),
        media_types=options.get("media_types", ()),
    )


def _is_tagged_by_middleware(handler: HTTPRouteHandler) -> bool:
    """What may be remembered has an ETag, whether its handler knows of it or not."""
    declared = {parameter.name for _, parameter in _header_parameters(handler)}
    return handler.opt.get("cached") is not None and IF_NONE_MATCH not in declared


def _header_parameters(handler: HTTPRouteHandler) -> Iterator[tuple[str, ParameterKwarg]]:
    for name, definition in parameters_of(handler):
        if isinstance(definition.kwarg_definition, ParameterKwarg):
            yield name, definition.kwarg_definition


def _answer(annotation: Any) -> Any:
    """What is in a ``Response[…]``; of several the first that is not empty."""
    if get_origin(annotation) in {Union, UnionType}:
        answers = [_answer(option) for option in get_args(annotation)]
        return next((answer for answer in answers if answer is not None), None)
    origin = get_origin(annotation)
    if isinstance(origin, type) and issubclass(origin, Response):
        return _answer(get_args(annotation)[0])
    return None if annotation in {None, NoneType} else annotation


def _parameters(handler: HTTPRouteHandler, route: HTTPRoute) -> Iterator[CallParameter]:
    for name, definition in parameters_of(handler):
        if isinstance(definition.kwarg_definition, ParameterKwarg):
            yield _parameter(name, definition, definition.kwarg_definition, route)


def _parameter(
    name: str, definition: FieldDefinition, kwarg: ParameterKwarg, route: HTTPRoute
) -> CallParameter:
    in_path = name in route.path_parameters
    default = definition.default if definition.default is not Empty else kwarg.default
    return CallParameter(
        name=kwarg.name or name,
        place="path" if in_path else ParamType(kwarg.param_type).value,
        annotation=value_type(definition),
        description=kwarg.description or "",
        is_required=in_path or definition.is_required,
        default=None if default is Empty else default,
        examples=[example.value for example in kwarg.examples or ()],
    )
