"""One line in the log and one observation for each request: never a body, a token, a password or a query."""

from functools import lru_cache
from time import perf_counter
from typing import Any

import structlog

from midrise.foundation.http.answer_head import answer_head
from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.ids import text_of
from midrise.foundation.observability.metrics import REQUEST_SECONDS, REQUESTS_IN_PROGRESS

log = structlog.get_logger("access")

_GONE = 499


class AccessLog:
    """Says what was asked (method, route), by whom, from where, what was answered and how long it took.

    A request whose client went away before the answer began is logged with status 499, as nginx does.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._in_progress = 0
        # Asked when somebody reads it, which is less often than it changes.
        REQUESTS_IN_PROGRESS.set_function(lambda: self._in_progress)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        self._in_progress += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_progress -= 1
            _note(scope, answer_head(scope).status or _GONE, perf_counter() - started)


@lru_cache(maxsize=4096)
def _timer(method: str, route: str, status: int) -> Any:
    # Looking a child up by its labels costs more than what it then does.
    return REQUEST_SECONDS.labels(method, route, str(status))


def _note(scope: Scope, status: int, seconds: float) -> None:
    state: dict[str, Any] = scope["state"]
    # Litestar sets the template when it has found the route; a path without one stays out of the metrics.
    route = scope.get("path_template") or "-"
    method = str(scope["state"].get("method") or scope.get("method"))
    _timer(method, route, status).observe(seconds)
    actor = state.get("actor")
    log.info(
        "request",
        method=method,
        route=route,
        status=status,
        duration_ms=round(seconds * 1000, 2),
        caller=text_of(actor.user_id) if actor and actor.user_id else None,
        address=scope["client"][0],
        **({"api_key": str(actor.api_key_id)} if actor and actor.api_key_id else {}),
    )
