"""Gives every request its id, puts it on every line that is logged meanwhile, and completes the answer's
head.
"""

import re

from midrise.foundation.http.answer_head import AnswerHead, AnswerSending
from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.ids import new_id_hex
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
        state = scope.setdefault("state", {})
        ids: RequestIds = state.get("ids") or _ids(scope)
        head = AnswerHead()
        state["request_id"], state["answer"] = ids.request_id, head
        head.headers.append((b"x-request-id", ids.request_id.encode("ascii")))

        before = request_ids.set(ids)
        try:
            await self._app(scope, receive, AnswerSending(head, scope, send))
        finally:
            request_ids.reset(before)


def ids_of(request_id: bytes, traceparent: bytes) -> RequestIds:
    """Those of a request by two of its headers; what is missing, or can't be used, is an empty text there."""
    said = _REQUEST_ID.fullmatch(request_id)
    trace = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return RequestIds(
        said[0].decode("ascii") if said else new_id_hex(), trace[1].decode("ascii") if trace else ""
    )


def _ids(scope: Scope) -> RequestIds:
    """Of headers that were sent twice, the first id that can be used counts, and the last trace."""
    request_id, traceparent = b"", b""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and not request_id and _REQUEST_ID.fullmatch(value):
            request_id = value
        elif name == b"traceparent" and _TRACEPARENT.fullmatch(value):
            traceparent = value
    return ids_of(request_id, traceparent)
