"""One line in the log and one observation for each request: never a body, a token, a password or a query."""

from functools import lru_cache
from time import perf_counter

from midrise.foundation.actor import Actor
from midrise.foundation.admission import Caller
from midrise.foundation.http.answer_head import answer_head
from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.http.errors import BodyBrokenOff
from midrise.foundation.ids import text_of
from midrise.foundation.observability import logs
from midrise.foundation.observability.metrics import REQUEST_SECONDS, REQUESTS_IN_PROGRESS
from midrise.foundation.observability.tallies import DurationTally

GONE = 499
"""The status of a request whose client did not wait for the answer."""


class AccessLog:
    """Says what was asked (method, route), by whom, from where, what was answered and how long it took.

    A request whose client went away before its body was there, or before the answer began, is logged with
    status 499, as nginx does.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.in_progress = 0
        # Asked when somebody reads it, which is less often than it changes.
        REQUESTS_IN_PROGRESS.set_function(lambda: self.in_progress)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started: float = scope["state"].get("started") or perf_counter()
        self.in_progress += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.in_progress -= 1
            state = scope["state"]
            note_request(
                # Set where it is not what the framework sees: a HEAD is answered as a GET.
                method=str(state.get("method") or scope.get("method")),
                # Litestar sets it when it has found the route; a path without one stays out of the metrics.
                route=scope.get("path_template") or "-",
                status=_status(scope),
                seconds=perf_counter() - started,
                actor=state.get("actor"),
                address=scope["client"][0],
            )


def note_request(
    *, method: str, route: str, status: int, seconds: float, actor: Actor | Caller | None, address: str
) -> None:
    """Write the line, and count the request."""
    _timer(method, route, status).observe(seconds)
    line = {
        "event": "request",
        "method": method,
        "route": route,
        "status": status,
        "duration_ms": round(seconds * 1000, 2),
        "caller": text_of(actor.user_id) if actor is not None and actor.user_id else None,
        "address": address,
    }
    if actor is not None and actor.api_key_id:
        line["api_key"] = str(actor.api_key_id)
    logs.tell(line)


def _status(scope: Scope) -> int:
    if isinstance(scope["state"].get("error"), BodyBrokenOff):
        # An answer was made, but nobody was there to read it.
        return GONE
    return answer_head(scope).status or GONE


@lru_cache(maxsize=4096)
def _timer(method: str, route: str, status: int) -> DurationTally:
    return REQUEST_SECONDS.of((method, route, str(status)))
