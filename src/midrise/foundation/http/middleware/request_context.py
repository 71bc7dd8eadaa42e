"""Gives every request its id, puts it on every line that is logged meanwhile, and completes the answer's
head.
"""

import re
from collections.abc import Awaitable

from midrise.foundation.http.answer_head import AnswerHead
from midrise.foundation.http.asgi import App, Message, Receive, Scope, Send
from midrise.foundation.ids import new_id
from midrise.foundation.observability.logs import RequestIds, request_ids

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
        head = AnswerHead()
        state = scope.setdefault("state", {})
        state["request_id"], state["answer"] = request_id, head
        head.headers.append((b"x-request-id", request_id.encode("ascii")))

        def send_with_head(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                head.status = message["status"]
                message["headers"] = head.complete(message.get("headers", ()))
            return send(message)

        before = request_ids.set(RequestIds(request_id, trace_id))
        try:
            await self._app(scope, receive, send_with_head)
        finally:
            request_ids.reset(before)


def _ids(scope: Scope) -> tuple[str, str]:
    request_id, trace_id = "", ""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and not request_id and _REQUEST_ID.fullmatch(value):
            request_id = value.decode("ascii")
        elif name == b"traceparent" and (match := _TRACEPARENT.fullmatch(value)):
            trace_id = match[1].decode("ascii")
    return request_id or new_id().hex, trace_id
