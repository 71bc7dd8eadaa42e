"""Keeps bodies within what a call takes, whether their length is said or not."""

from collections.abc import Awaitable

from midrise.foundation.http.asgi import App, Message, Receive, Scope, Send
from midrise.foundation.http.errors import BodyBrokenOff, PayloadTooLarge

USUAL_BYTES = 1024 * 1024
IMPORT_BYTES = 256 * 1024 * 1024
IMPORT_SUFFIX = "/import"
_MOST_DIGITS = 20
OF_A_BODY = frozenset({b"content-length", b"transfer-encoding"})
"""The headers that announce one."""


class BodyLimit:
    """Raises `PayloadTooLarge` before a body that is too long is read, or as soon as it has become too long.

    A body whose client goes away before it is there ends with `BodyBrokenOff`.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        limit = IMPORT_BYTES if scope["path"].endswith(IMPORT_SUFFIX) else USUAL_BYTES
        is_awaited = False
        for name, value in scope["headers"]:
            if name == b"content-length" and not _is_within(value, limit):
                raise PayloadTooLarge
            is_awaited = is_awaited or name in OF_A_BODY
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received, is_awaited
            message = await receive()
            if message["type"] == "http.request":
                is_awaited = is_awaited and message.get("more_body", False)
                received += len(message.get("body", b""))
                if received > limit:
                    raise PayloadTooLarge
            elif is_awaited:
                raise BodyBrokenOff
            return message

        return self._app(scope, receive_within_limit, send)


def _is_within(length: bytes, limit: int) -> bool:
    """Whether a length as a header says it is within the limit; one of absurdly many digits is not read."""
    return length.isdigit() and len(length) <= _MOST_DIGITS and int(length) <= limit
