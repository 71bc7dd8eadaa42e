"""Calls, answered by what was worked out of their operations once, when the application was made.

For each request Litestar copies the handler for its guards, asks every provider in turn, wraps sending three
times and makes an answer of an answer: several times what a handler costs. But what it goes by is the same for
every request. Here it is asked once: see `prepared_operation.py`.

Litestar itself has every request that is unusual in any way, and every one that is to be refused before a
handler is entered: what is answered here was allowed by the same `check_caller` and holds to the same types. A
body that it is to look at reaches it as it came in.
"""

from collections.abc import Mapping
from typing import Any, cast

from litestar import Litestar, Request
from litestar.routes import HTTPRoute

from midrise.foundation.errors import AppError
from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.http.binding import BodyDecoder
from midrise.foundation.http.parameters import ParameterCheck
from midrise.foundation.http.path_tree import PathTree
from midrise.foundation.http.prepared_operation import PlainJson, PreparedOperation
from midrise.foundation.http.problems import answer_error
from midrise.foundation.http.received_body import ReceivedBody

_Operations = dict[str, PreparedOperation | None]
"""Those of one path, by their methods; None for what is left to the framework."""


class PreparedCalls:
    """Answers what it can by itself, and leaves the rest to the framework."""

    def __init__(self, app: Litestar, *, parameters: ParameterCheck, framework: App) -> None:
        self._framework = framework
        self._operations = PathTree[_Operations]()
        for segments, operations in _by_path(app, parameters).items():
            self._operations.add(segments, operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._operations.find(scope["path"])
        operation = found[0].get(scope["method"]) if found is not None else None
        if found is None or operation is None or scope.get("root_path"):
            await self._framework(scope, receive, send)
            return
        arguments = operation.find_arguments(scope, found[1])
        if arguments is None:
            await self._framework(scope, receive, send)
            return
        scope["path_template"], scope["route_handler"] = operation.template, operation.handler
        if operation.body is not None:
            received = ReceivedBody(receive)
            value = await _find_value(received, operation.body)
            if value is None:
                await self._framework(scope, received.receive_again, send)
                return
            arguments["data"] = value
            del received  # so that nothing of it is kept while the handler is at work
        await _answer(operation, arguments, scope, receive, send)


def _by_path(app: Litestar, parameters: ParameterCheck) -> Mapping[tuple[str | None, ...], _Operations]:
    """The operations behind each path, by its segments. A path that has none which is prepared stands there as
    well: it must not be taken for another's."""
    found: dict[tuple[str | None, ...], _Operations] = {}
    for route in app.routes:
        segments = tuple(part if isinstance(part, str) else None for part in route.path_components)
        operations = found.setdefault(segments, {})
        if isinstance(route, HTTPRoute):
            operations |= {
                method: PreparedOperation.of(route, method, parameters) for method in route.route_handler_map
            }
    return found


async def _find_value(received: ReceivedBody, decoder: BodyDecoder) -> Any:
    """What the body stands for; None for one that the framework is to look at, or to refuse."""
    body = await received.read()
    if not body:
        return None
    try:
        return decoder.decode(body)
    except (AppError, ValueError):
        return None


async def _answer(
    operation: PreparedOperation, arguments: Mapping[str, Any], scope: Scope, receive: Receive, send: Send
) -> None:
    answer: PlainJson | App
    try:
        answer = await operation.answer(arguments, scope)
    except Exception as error:  # noqa: BLE001  whatever it is, the client is told in the one format
        request: Request[Any, Any, Any] = Request(cast("Any", scope))
        answer = cast("App", answer_error(request, error).to_asgi_response(None, request))
    if isinstance(answer, PlainJson):
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})
    else:
        await answer(scope, receive, send)
