"""Litestar, set up once for every module: binding, access, errors, and the services that handlers take."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.routes import HTTPRoute

from midrise.foundation.errors import Malformed
from midrise.foundation.http.access import check_access, refuse_undeclared
from midrise.foundation.http.asgi import App, Scope
from midrise.foundation.http.binding import StrictBody
from midrise.foundation.http.current import ScopeProvider, current_actor
from midrise.foundation.http.listing import Listing
from midrise.foundation.http.options import OptionsAnswers
from midrise.foundation.http.parameters import ParameterCheck
from midrise.foundation.http.prepared_calls import PreparedCalls
from midrise.foundation.http.problems import answer_error
from midrise.foundation.paging import CursorSigner

_BODY_PARAMETERS = frozenset({"data", "body", "request"})
"""By what names handlers take a body."""


def create_framework(
    *,
    handlers: Sequence[Any],
    services: Mapping[str, object],
    cursors: CursorSigner,
    permissions: Iterable[str],
) -> Litestar:
    """The framework with these controllers and handlers.

    ``services`` are what handlers take, by the name of their parameter. Raises `AccessUndeclared` for an
    operation that doesn't say who may call it.
    """
    before = _BeforeHandlers()

    def listing(scope: Scope) -> Listing:
        return Listing(scope, cursors)

    app = Litestar(
        route_handlers=handlers,
        dependencies={
            "actor": Provide(ScopeProvider(current_actor), sync_to_thread=False),
            "listing": Provide(ScopeProvider(listing), sync_to_thread=False),
            **{name: _provided(service) for name, service in services.items()},
        },
        dto=StrictBody,
        return_dto=None,
        guards=[check_access],
        before_request=before,
        exception_handlers={Exception: answer_error},
        logging_config=None,
        openapi_config=None,
        # The body limit is a middleware's, before anything is read.
        request_max_body_size=None,
    )
    refuse_undeclared(app, permissions)
    _give_one_after_the_other(app)
    before.options, before.parameters = OptionsAnswers(app), ParameterCheck(app)
    prepared = PreparedCalls(app, parameters=before.parameters, framework=cast("App", app.asgi_handler))
    app.asgi_handler = cast("Any", prepared)
    return app


def _give_one_after_the_other(app: Litestar) -> None:
    """Have what handlers take made in turn: a group of tasks for things that wait for nothing costs more than
    they do."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, model in route.route_handler_map.values():
                model.dependency_batches = [{each} for batch in model.dependency_batches for each in batch]


class _BeforeHandlers:
    """Runs before the handler of every request; its parts can only be made when every route is known."""

    options: OptionsAnswers
    parameters: ParameterCheck

    async def __call__(self, request: Request[Any, Any, Any]) -> Response[None] | None:
        if request.method == "OPTIONS":
            return self.options.answer(request.scope["path_template"])
        self.parameters.check(request)
        await _refuse_unwanted_body(request)
        return None


async def _refuse_unwanted_body(request: Request[Any, Any, Any]) -> None:
    """Raises `Malformed` for a body that nobody is going to read: whoever sends a password with a `DELETE`
    would believe that it was checked. An empty object is what some clients send for nothing."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    taken = request.scope["route_handler"].parsed_fn_signature.parameters
    if taken.keys().isdisjoint(_BODY_PARAMETERS) and (await request.body()).strip() not in {b"", b"{}"}:
        raise Malformed("This call takes no body")


def _provided(service: object) -> Provide:
    def give() -> Any:
        return service

    return Provide(give, sync_to_thread=False)
