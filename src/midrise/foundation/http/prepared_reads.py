"""`GET` calls, answered by what was worked out of their operations once, when the application was made.

For each request Litestar copies the handler for its guards, asks every provider in turn, wraps sending three
times and makes an answer of an answer: several times what a handler costs. But what it goes by is the same for
every request. Here it is asked once: for paths, types of parameters, providers, and the declared access.

Litestar itself has every request that is unusual in any way, and every one that is to be refused before a
handler is entered: what is answered here was allowed by the same `check_caller` and holds to the same types.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast, get_origin

import msgspec
from litestar import Litestar, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.serialization import get_serializer

from midrise.foundation.errors import AppError
from midrise.foundation.http.access import Access, check_access, check_caller
from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.http.parameters import ParameterCheck
from midrise.foundation.http.path_tree import PathTree
from midrise.foundation.http.plain_answer import PlainAnswer
from midrise.foundation.http.problems import answer_error

_USUAL_HOST = re.compile(rb"[0-9A-Za-z.:_-]+")
_FURTHER_WORK = (
    *("middleware", "after_request", "after_response", "background", "cache"),
    *("response_headers", "response_cookies"),
)
"""What an operation, or what it is part of, may have Litestar do besides."""


class PreparedReads:
    """Answers what it can by itself, and leaves the rest to the framework."""

    def __init__(self, app: Litestar, *, parameters: ParameterCheck, framework: App) -> None:
        self._framework = framework
        self._reads = PathTree[_Read]()
        for route in app.routes:
            # One that can't be prepared stands there as well: its path must not be taken for another's.
            read = _Read.of(route, parameters) if isinstance(route, HTTPRoute) else None
            segments = (part if isinstance(part, str) else None for part in route.path_components)
            self._reads.add(segments, read)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._reads.find(scope["path"]) if scope["method"] == "GET" else None
        if found is None or scope.get("root_path"):
            await self._framework(scope, receive, send)
            return
        read, texts = found
        request: Request[Any, Any, Any] = Request(cast("Any", scope), cast("Any", receive))
        arguments = read.find_arguments(request, texts)
        if arguments is None:
            await self._framework(scope, receive, send)
            return
        scope["path_template"], scope["route_handler"] = read.template, read.handler
        try:
            answer = await read.answer(arguments, request)
        except Exception as error:  # noqa: BLE001  whatever it is, the client is told in the one format
            answer = cast("App", answer_error(request, error).to_asgi_response(None, request))
        if isinstance(answer, _Plain):
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body, "more_body": False})
        else:
            await answer(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _Plain:
    """An answer of JSON."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _Read:
    """What is known of one operation."""

    def __init__(self, route: HTTPRoute, parameters: ParameterCheck) -> None:
        handler, model = route.route_handler_map["GET"]
        self.handler: HTTPRouteHandler = handler
        self.template = str(route.path_format)
        self._access: Access = handler.opt["access"]
        self._parameters = parameters
        self._call: Callable[..., Any] = handler.fn
        self._signature: Any = handler.signature_model
        self._decode = handler.default_deserializer
        self._encode = msgspec.json.Encoder(enc_hook=get_serializer(handler.resolve_type_encoders())).encode
        self._path = [(each.name, each.parser) for each in route.path_parameters.values()]
        self._query = {each.field_alias: each.field_name for each in model.expected_query_params}
        self._headers = {
            each.field_alias.lower().encode(): each.field_name for each in model.expected_header_params
        }
        self._given, self._of_request = _providers(handler)

    @classmethod
    def of(cls, route: HTTPRoute, parameters: ParameterCheck) -> Self | None:
        """The operation behind `GET`; None where there is none, or one that Litestar does more for."""
        if "GET" not in route.route_handler_map:
            return None
        handler, model = route.route_handler_map["GET"]
        layers = handler.ownership_layers
        kind = handler.parsed_fn_signature.return_type.annotation
        is_plain = (
            handler.resolve_guards() == [check_access]
            and isinstance(handler.opt.get("access"), Access)
            and handler.resolve_exception_handlers() == {Exception: answer_error}
            and all(layer.before_request is None for layer in layers[1:])
            and not any(getattr(layer, name, None) for layer in layers for name in _FURTHER_WORK)
            and not (model.expected_cookie_params or model.sequence_query_parameter_names)
            and model.expected_reserved_kwargs <= {"request"}
            and "request" not in handler.parsed_fn_signature.parameters
            and not handler.has_sync_callable
            and all(_is_simple(each) for each in handler.resolve_dependencies().values())
            and (get_origin(kind) is Response or (isinstance(kind, type) and issubclass(kind, msgspec.Struct)))
        )
        return cls(route, parameters) if is_plain else None

    def find_arguments(self, request: Request[Any, Any, Any], texts: Sequence[str]) -> Mapping[str, Any] | None:
        """What the handler takes; None for a request that the framework is to look at, or to refuse."""
        scope = request.scope
        if check_caller(self._access, scope["state"]) is not None:
            return None
        values = dict(self._given)
        for name, value in scope["headers"]:
            if name in self._headers:
                values.setdefault(self._headers[name], value.decode("latin-1"))
            elif (name == b"host" and _USUAL_HOST.fullmatch(value) is None) or _tells_of_body(name, value):
                return None
        try:
            for (field, parse), text in zip(self._path, texts, strict=True):
                values[field] = text if parse is None else parse(text)
            query = scope["query_string"]
            if query:
                for alias, text in self._parameters.texts(query, self.handler).items():
                    values[self._query[alias]] = text
            for field, provide in self._of_request:
                values[field] = provide(request)
            found: Mapping[str, Any] = msgspec.convert(
                values, self._signature, strict=False, dec_hook=self._decode
            ).to_dict()
        except (AppError, ValueError):
            return None
        return found

    async def answer(self, arguments: Mapping[str, Any], request: Request[Any, Any, Any]) -> _Plain | App:
        """What the handler answers. Raises what the handler raises."""
        shown = await self._call(**arguments)
        if isinstance(shown, msgspec.Struct):
            return self._plain(shown, self.handler.status_code, {})
        status = shown.status_code or self.handler.status_code
        if type(shown) is PlainAnswer or (type(shown) is Response and _is_plain_json(shown, status)):
            return self._plain(shown.content, status, shown.headers)
        whole = await self.handler.to_response(app=request.app, data=shown, request=request)
        return cast("App", whole)

    def _plain(self, content: Any, status: int, said: Mapping[str, str]) -> _Plain:
        body = self._encode(content)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said.items()]
        headers.append((b"content-type", b"application/json"))
        headers.append((b"content-length", b"%d" % len(body)))
        return _Plain(status, headers, body)


def _providers(handler: HTTPRouteHandler) -> tuple[Mapping[str, Any], Sequence[tuple[str, Callable[..., Any]]]]:
    """By names of parameters: what is the same for every request, and what is made of it."""
    taken = handler.parsed_fn_signature.parameters
    given: dict[str, Any] = {}
    of_request: list[tuple[str, Callable[..., Any]]] = []
    for name, provider in handler.resolve_dependencies().items():
        if name not in taken:
            continue
        if provider.parsed_fn_signature.parameters:
            of_request.append((name, provider.dependency))
        else:
            given[name] = provider.dependency()
    return given, of_request


def _is_simple(provider: Any) -> bool:
    """Whether it gives at once, and makes what it gives of nothing but the request, if at all."""
    return (
        provider.has_sync_callable
        and not (provider.use_cache or provider.has_sync_generator_dependency)
        and provider.parsed_fn_signature.parameters.keys() <= {"request"}
    )


def _tells_of_body(name: bytes, value: bytes) -> bool:
    return (name == b"content-length" and value != b"0") or name == b"transfer-encoding"


def _is_plain_json(answer: Response[Any], status: int) -> bool:
    return (
        answer.media_type is None
        and status not in {204, 304}
        and not (answer.cookies or answer.background or answer.response_type_encoders)
        and not isinstance(answer.content, (bytes, str))
        and "content-type" not in answer.headers
    )
