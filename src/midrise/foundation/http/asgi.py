"""The words of ASGI 3 as the middleware uses them: every scope here is one of type ``http``."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Begin = Callable[[Scope, Callable[[], object]], bool]
"""The method `begin` that an application may have, by which a server spares itself a task for a request:
whether it sees to it by itself, by answering in one piece or by having it started as usual."""


def header_of(scope: Scope, name: bytes) -> str:
    """The first header of that lower-case name, or an empty text."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return ""
