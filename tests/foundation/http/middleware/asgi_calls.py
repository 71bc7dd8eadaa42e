"""Calls of ASGI apps by their messages, for what no HTTP client sends."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from midrise.foundation.http.answer_head import AnswerHead
from midrise.foundation.http.asgi import App, Message, Scope


@dataclass
class Called:
    """What an app sent; ``scope`` is what it was called with, as it left it."""

    scope: Scope
    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


async def call(
    app: App,
    path: str = "/",
    *,
    method: str = "GET",
    headers: Iterable[tuple[bytes, bytes]] = (),
    client: tuple[str, int] | None = ("203.0.113.7", 4711),
    chunks: Iterable[bytes] = (),
) -> Called:
    """Call the app; a body comes in the given chunks."""
    called = Called(_scope(path, method=method, headers=headers, client=client))
    parts = iter([*chunks, b""])

    async def receive() -> Message:
        chunk = next(parts, b"")
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}

    head = AnswerHead()
    called.scope["state"].setdefault("answer", head)

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            head.status = message["status"]
            message["headers"] = head.complete(message.get("headers", ()))
        called.messages.append(message)

    await app(called.scope, receive, send)
    return called


async def answer_ok(scope: Scope, receive: Any, send: Any) -> None:
    """An app that has nothing to say."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def _scope(path: str, **parts: Any) -> Scope:
    parts["headers"] = list(parts["headers"])
    return {"type": "http", "path": path, "query_string": b"", "state": {"request_id": "r1"}, **parts}
