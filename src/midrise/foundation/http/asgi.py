"""The words of ASGI 3 as the middleware uses them: every scope here is one of type ``http``."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header_of(scope: Scope, name: bytes) -> str:
    """The first header of that lower-case name, or an empty text."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""
