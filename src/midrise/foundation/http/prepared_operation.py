"""An operation as it is known once the application is made: what it takes, from where, and what it answers."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import NoneType
from typing import Any, NamedTuple, Self, cast, get_origin

import msgspec
from litestar import MediaType, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.serialization import get_serializer

from midrise.foundation.errors import AppError
from midrise.foundation.http.access import Access, check_access, check_caller
from midrise.foundation.http.asgi import App, Scope
from midrise.foundation.http.binding import StrictBody, is_accepted
from midrise.foundation.http.current import ScopeProvider
from midrise.foundation.http.parameters import ParameterCheck
from midrise.foundation.http.plain_answer import PlainAnswer
from midrise.foundation.http.problems import answer_error

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_USUAL_HOST = re.compile(rb"[0-9A-Za-z.:_-]+")
_WITHOUT_BODY = frozenset({204, 304})
_FURTHER_WORK = (
    *("middleware", "after_request", "after_response", "background", "cache", "cache_control", "etag"),
    *("response_headers", "response_cookies"),
)
"""What an operation, or what it is part of, may have Litestar do besides."""


def _is_usual_host(host: bytes) -> bool:
    return _USUAL_HOST.fullmatch(host) is not None


def _is_never_usual(_: bytes) -> bool:
    return False


_HEADERS_OF_NO_BODY: Mapping[bytes, Callable[[bytes], bool]] = {
    b"host": _is_usual_host,
    b"content-length": b"0".__eq__,
    b"transfer-encoding": _is_never_usual,
}


class PlainJson(NamedTuple):
    """An answer of JSON, or of nothing."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class PreparedOperation:
    """What is known of one operation. ``body`` decodes what it takes, if it takes one."""

    def __init__(self, route: HTTPRoute, method: str, parameters: ParameterCheck) -> None:
        handler, model = route.route_handler_map[cast("Any", method)]
        self.handler: HTTPRouteHandler = handler
        self.template = str(route.path_format)
        self.body = StrictBody.decoder_of(handler) if model.expected_data_dto is not None else None
        self._access: Access = handler.opt["access"]
        self._parameters = parameters
        self._call: Callable[..., Any] = handler.fn
        self._signature: Any = handler.signature_model
        self._decode = handler.default_deserializer
        self._encode = msgspec.json.Encoder(enc_hook=get_serializer(handler.resolve_type_encoders())).encode
        # One that answers by a `Response` says nothing where it means JSON.
        self._says_json = handler.media_type in {"", MediaType.JSON}
        self._path = [(each.name, each.parser) for each in route.path_parameters.values()]
        self._query = {each.field_alias: each.field_name for each in model.expected_query_params}
        self._headers = {
            each.field_alias.lower().encode(): each.field_name for each in model.expected_header_params
        }
        self._given, self._of_scope = _providers(handler)
        if self.body is not None:
            self._given["data"] = None  # until it has come in
        self._is_usual = _headers_of_body(method) if self.body is not None else _HEADERS_OF_NO_BODY

    @classmethod
    def of(cls, route: HTTPRoute, method: str, parameters: ParameterCheck) -> Self | None:
        """The operation behind the method; None for one that Litestar does more for."""
        handler, model = route.route_handler_map[cast("Any", method)]
        is_plain = (
            method in _METHODS
            and handler.resolve_guards() == [check_access]
            and isinstance(handler.opt.get("access"), Access)
            and not _is_more_done(handler)
            and not (model.expected_cookie_params or model.sequence_query_parameter_names)
            and model.expected_reserved_kwargs <= {"request", "data"}
            and "request" not in handler.parsed_fn_signature.parameters
            and model.expected_data_dto in {StrictBody, None}
            and (model.expected_data_dto is StrictBody) == ("data" in model.expected_reserved_kwargs)
            and model.expected_form_data is None
            and not handler.has_sync_callable
            and all(_is_simple(each) for each in handler.resolve_dependencies().values())
            and _says_what_it_answers(handler)
        )
        return cls(route, method, parameters) if is_plain else None

    def find_arguments(self, scope: Scope, texts: Sequence[str]) -> dict[str, Any] | None:
        """What the handler takes, but for the body, which may not have come in yet.

        None for a request that the framework is to look at, or to refuse.
        """
        if check_caller(self._access, scope["state"]) is not None:
            return None
        values = dict(self._given)
        if not self._take_headers(scope["headers"], values):
            return None
        try:
            for (field, parse), text in zip(self._path, texts, strict=True):
                values[field] = text if parse is None else parse(text)
            query = scope["query_string"]
            if query:
                for alias, text in self._parameters.texts(query, self.handler).items():
                    values[self._query[alias]] = text
            for field, make in self._of_scope:
                values[field] = make(scope)
            found: dict[str, Any] = msgspec.convert(
                values, self._signature, strict=False, dec_hook=self._decode
            ).to_dict()
        except (AppError, ValueError):
            return None
        return found

    async def answer(self, arguments: Mapping[str, Any], scope: Scope) -> PlainJson | App:
        """What the handler answers. Raises what the handler raises."""
        shown = await self._call(**arguments)
        usual_status = self.handler.status_code
        if shown is None and usual_status in _WITHOUT_BODY:
            return PlainJson(usual_status, [], b"")
        if isinstance(shown, msgspec.Struct) and self._says_json:
            return self._plain(shown, usual_status, {})
        if isinstance(shown, Response) and self._says_json:
            status = shown.status_code or usual_status
            if type(shown) is PlainAnswer or (type(shown) is Response and _is_plain_json(shown, status)):
                return self._plain(shown.content, status, shown.headers)
        request: Request[Any, Any, Any] = Request(cast("Any", scope))
        whole = await self.handler.to_response(app=request.app, data=shown, request=request)
        return cast("App", whole)

    def _take_headers(self, headers: Iterable[tuple[bytes, bytes]], values: dict[str, Any]) -> bool:
        """Add those that the handler takes to the values. False for a request that is unusual in one of them,
        or has another kind of body than the handler takes."""
        is_typed = self.body is None
        for name, value in headers:
            if name in self._headers:
                values.setdefault(self._headers[name], value.decode("latin-1"))
            elif name in self._is_usual:
                if not self._is_usual[name](value):
                    return False
                is_typed = is_typed or name == b"content-type"
        return is_typed

    def _plain(self, content: Any, status: int, said: Mapping[str, str]) -> PlainJson:
        body = self._encode(content)
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in said.items()]
        headers.append((b"content-type", b"application/json"))
        headers.append((b"content-length", b"%d" % len(body)))
        return PlainJson(status, headers, body)


def _headers_of_body(method: str) -> Mapping[bytes, Callable[[bytes], bool]]:
    """What has to be usual, and whether it is."""
    return {
        b"host": _is_usual_host,
        b"content-type": partial(is_accepted, method=method),
        b"content-encoding": _is_never_usual,
    }


def _is_more_done(handler: HTTPRouteHandler) -> bool:
    """Whether Litestar does more for it, or otherwise, than for any that comes as we declare them."""
    layers = handler.ownership_layers
    return (
        handler.resolve_exception_handlers() != {Exception: answer_error}
        or handler.resolve_request_class() is not Request
        or handler.resolve_response_class() is not Response
        or handler.resolve_request_max_body_size() is not None
        or handler.resolve_return_dto() is not None
        or any(layer.before_request is not None for layer in layers[1:])
        or any(getattr(layer, name, None) for layer in layers for name in _FURTHER_WORK)
    )


def _says_what_it_answers(handler: HTTPRouteHandler) -> bool:
    kind = handler.parsed_fn_signature.return_type.annotation
    if handler.status_code in _WITHOUT_BODY:
        return kind is NoneType
    return get_origin(kind) is Response or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


def _providers(
    handler: HTTPRouteHandler,
) -> tuple[dict[str, Any], Sequence[tuple[str, Callable[[Scope], Any]]]]:
    """By names of parameters: what is the same for every request, and what is made of it."""
    taken = handler.parsed_fn_signature.parameters
    given: dict[str, Any] = {}
    of_scope: list[tuple[str, Callable[[Scope], Any]]] = []
    for name, provider in handler.resolve_dependencies().items():
        if name not in taken:
            continue
        if isinstance(provider.dependency, ScopeProvider):
            of_scope.append((name, provider.dependency.make))
        else:
            given[name] = provider.dependency()
    return given, of_scope


def _is_simple(provider: Any) -> bool:
    """Whether it gives at once, and makes what it gives of nothing but the request's scope, if at all."""
    return (
        provider.has_sync_callable
        and not (provider.use_cache or provider.has_sync_generator_dependency)
        and (isinstance(provider.dependency, ScopeProvider) or not provider.parsed_fn_signature.parameters)
    )


def _is_plain_json(answer: Response[Any], status: int) -> bool:
    return (
        answer.media_type is None
        and status not in _WITHOUT_BODY
        and not (answer.cookies or answer.background or answer.response_type_encoders)
        and not isinstance(answer.content, (bytes, str))
        and "content-type" not in answer.headers
    )
