"""Cross-origin requests (the Fetch standard, section 3.2), for the origins of the setting and no others."""

from collections.abc import Awaitable, Iterable

from midrise.foundation.http.answer_head import answer_head
from midrise.foundation.http.asgi import App, Receive, Scope, Send

_ALLOWED_HEADERS = (
    b"Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Consistency-Token, X-Request-ID, "
    b"Accept-Language"
)
_EXPOSED_HEADERS = (
    b"ETag, Link, Location, Consistency-Token, RateLimit, RateLimit-Policy, Retry-After, X-Request-ID, "
    b"Idempotency-Replayed"
)
_ALLOWED_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
_PREFLIGHT_SECONDS = b"7200"
_VARY = (b"vary", b"Origin")


class Cors:
    """Answers preflights, and names the origin on what it may read. Credentials are tokens, never cookies."""

    def __init__(self, app: App, *, origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(origin.encode("latin-1") for origin in origins)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        origin = None
        for name, value in scope["headers"]:
            if name == b"origin":
                origin = value
                break
        allowed = origin if origin in self._origins else None
        if scope["method"] == "OPTIONS" and origin and _asks_for_method(scope):
            return _answer_preflight(allowed, send)
        headers = answer_head(scope).headers
        headers.append(_VARY)
        if allowed:
            headers.append((b"access-control-allow-origin", allowed))
            headers.append((b"access-control-expose-headers", _EXPOSED_HEADERS))
        return self._app(scope, receive, send)


def _asks_for_method(scope: Scope) -> bool:
    return any(name == b"access-control-request-method" for name, _ in scope["headers"])


async def _answer_preflight(allowed: bytes | None, send: Send) -> None:
    headers = [(b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers")]
    if allowed:
        headers += [
            (b"access-control-allow-origin", allowed),
            (b"access-control-allow-methods", _ALLOWED_METHODS),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
