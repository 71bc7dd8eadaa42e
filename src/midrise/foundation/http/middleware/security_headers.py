"""Headers that tell browsers to trust less."""

from collections.abc import Awaitable

from midrise.foundation.http.answer_head import answer_head
from midrise.foundation.http.asgi import App, Receive, Scope, Send

USUAL_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"cross-origin"),
    (b"cache-control", b"no-store"),
)
"""What an answer has that says nothing else."""


class SecurityHeaders:
    """Adds each header that the answer lacks; what says nothing of caching is not to be stored."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        answer_head(scope).usual = USUAL_HEADERS
        return self._app(scope, receive, send)
