"""Cross-origin requests (the Fetch standard, section 3.2), for the origins of the setting and no others."""

from collections.abc import Awaitable, Iterable, Sequence

from midrise.foundation.http.answer_head import Header, answer_head
from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.http.protocol import lines_of

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
_FOR_NOBODY = ((b"vary", b"Origin"),)
_LINES_FOR_NOBODY = lines_of(_FOR_NOBODY)


class Origins:
    """The sites whose scripts may read answers."""

    def __init__(self, origins: Iterable[str]) -> None:
        allowed = [origin.encode("latin-1") for origin in origins]
        self._headers = {origin: _headers(origin) for origin in allowed}
        self._lines = {origin: lines_of(headers) for origin, headers in self._headers.items()}

    def may(self, origin: bytes | None) -> bool:
        return origin in self._headers

    def headers_for(self, origin: bytes | None) -> Sequence[Header]:
        """What stands on the answer to a script of that origin, or to what is no script."""
        return self._headers.get(origin, _FOR_NOBODY) if origin is not None else _FOR_NOBODY

    def lines_for(self, origin: bytes | None) -> bytes:
        """The same as bytes."""
        return self._lines.get(origin, _LINES_FOR_NOBODY) if origin is not None else _LINES_FOR_NOBODY


class Cors:
    """Answers preflights, and names the origin on what it may read. Credentials are tokens, never cookies."""

    def __init__(self, app: App, *, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        origin = None
        for name, value in scope["headers"]:
            if name == b"origin":
                origin = value
                break
        if scope["method"] == "OPTIONS" and origin and _asks_for_method(scope):
            return _answer_preflight(origin if self._origins.may(origin) else None, send)
        answer_head(scope).headers += self._origins.headers_for(origin)
        return self._app(scope, receive, send)


def _headers(origin: bytes) -> Sequence[Header]:
    exposed = (b"access-control-expose-headers", _EXPOSED_HEADERS)
    return (*_FOR_NOBODY, (b"access-control-allow-origin", origin), exposed)


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
