"""Gives every request its id, puts it on every line that is logged meanwhile, and completes the answer's head;
reads its path as the framework will.
"""

from litestar.utils import normalize_path

from midrise.foundation.http.answer_head import AnswerHead, AnswerSending
from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.http.request_ids import ids_of_headers
from midrise.foundation.observability.logs import RequestIds, request_ids


class RequestContext:
    """Keeps the client's `X-Request-ID` if it is 1 to 128 of ``A-Za-z0-9._-``, else makes one.

    The trace id of a `traceparent` (W3C Trace Context) joins the log lines to the caller's trace.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # `//v1/auth//login` must not be another call than the one it is, to no layer.
        scope["path"] = normalize_path(scope["path"])
        state = scope.setdefault("state", {})
        ids: RequestIds = state.get("ids") or ids_of_headers(scope["headers"])
        head = AnswerHead()
        state["request_id"], state["answer"] = ids.request_id, head
        head.headers.append((b"x-request-id", ids.request_id.encode("ascii")))

        before = request_ids.set(ids)
        try:
            await self._app(scope, receive, AnswerSending(head, scope, send))
        finally:
            request_ids.reset(before)
