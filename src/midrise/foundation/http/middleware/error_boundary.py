"""The outermost net: whatever a middleware raises is answered in the one error format."""

import structlog

from midrise.foundation.errors import AppError, InternalError
from midrise.foundation.http.answer_head import answer_head
from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.http.errors import status_of
from midrise.foundation.http.problems import problem_bytes, problem_headers

log = structlog.get_logger()


class ErrorBoundary:
    """Answers errors that were raised outside the framework. One that has begun can only be broken off."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            known = error if isinstance(error, AppError) else InternalError()
            if known is not error:
                log.exception("request.failed")
            if answer_head(scope).status:
                raise
            await send_problem(known, scope, send)


async def send_problem(error: AppError, scope: Scope, send: Send) -> None:
    """Answer the request with the error."""
    body = problem_bytes(error, scope)
    headers = [(name.encode(), value.encode("latin-1")) for name, value in problem_headers(error).items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status_of(type(error)), "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
