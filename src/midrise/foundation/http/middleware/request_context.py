"""Gives every request its id, and puts it on the answer and on every line that is logged meanwhile."""

import re

import structlog

from midrise.foundation.http.asgi import App, Message, Receive, Scope, Send
from midrise.foundation.ids import new_id

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class RequestContext:
    """Keeps the client's `X-Request-ID` if it is 1 to 128 of ``A-Za-z0-9._-``, else makes one.

    The trace id of a `traceparent` (W3C Trace Context) joins the log lines to the caller's trace.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id, trace_id = _ids(scope)
        scope.setdefault("state", {})
        scope["state"]["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if trace_id:
            structlog.contextvars.bind_contextvars(trace_id=trace_id)
        header = (b"x-request-id", request_id.encode("ascii"))

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        await self._app(scope, receive, send_with_id)


def _ids(scope: Scope) -> tuple[str, str]:
    request_id, trace_id = "", ""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and not request_id and _REQUEST_ID.fullmatch(value):
            request_id = value.decode("ascii")
        elif name == b"traceparent" and (match := _TRACEPARENT.fullmatch(value)):
            trace_id = match[1].decode("ascii")
    return request_id or new_id().hex, trace_id
