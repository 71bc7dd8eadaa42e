"""Requests of one application whose calls were prepared, and of one where the framework has them all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from structlog.testing import capture_logs
from tests.foundation.http.small_app import small_app

from midrise.foundation.http.asgi import App, Message
from midrise.foundation.http.prepared_calls import PreparedCalls

MADE = "midrise.foundation.http.framework.PreparedCalls"
REQUEST_ID = ("X-Request-ID", "0123456789abcdef0123456789abcdef")
TOO_MUCH = 1024 * 1024
BROKEN_OFF: Message = {"type": "http.disconnect"}


@dataclass(frozen=True)
class Asked:
    """A request. Its body comes in the given pieces; ``breaks_off`` says that the client leaves after them."""

    method: str
    target: str
    pieces: Sequence[bytes] = ()
    headers: Sequence[tuple[str, str]] = ()
    breaks_off: bool = False
    root_path: str = ""

    @property
    def messages(self) -> list[Message]:
        pieces = self.pieces or [b""]
        told: list[Message] = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
        if self.breaks_off:
            return [*told, BROKEN_OFF]
        told[-1]["more_body"] = False
        return told


@dataclass
class Told:
    """What came of a request: the messages of the answer, what was logged, and how much was received for it."""

    sent: list[Message] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    received: int = 0
    raised: str = ""

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"]) if self.sent else 0

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


async def told(app: App, asked: Asked) -> Told:
    """Ask, and tell all that can be seen of it from outside."""
    came = Told()
    messages = asked.messages

    async def receive() -> Message:
        came.received += 1
        return messages[min(came.received, len(messages)) - 1]

    async def send(message: Message) -> None:
        came.sent.append(message)

    with capture_logs() as lines:
        try:
            await app(_scope(asked), receive, send)
        except Exception as error:  # noqa: BLE001  the server logs it, whatever it is
            came.raised = str(error)
    came.logged = [line["event"] for line in lines]
    return came


def with_framework_alone(handlers: Iterable[Any], patch: pytest.MonkeyPatch) -> App:
    """The handlers with nothing prepared."""
    with patch.context() as patched:
        patched.setattr(MADE, lambda *_, framework, **__: framework)
        return small_app(*handlers)


def without_framework(handlers: Iterable[Any], patch: pytest.MonkeyPatch) -> App:
    """The handlers with no framework behind them: what is left to it ends in a 500."""

    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("left to the framework")

    with patch.context() as patched:
        patched.setattr(
            MADE, lambda app, *, parameters, **_: PreparedCalls(app, parameters=parameters, framework=refuse)
        )
        return small_app(*handlers)


def _scope(asked: Asked) -> Any:
    path, _, query = asked.target.partition("?")
    headers = [REQUEST_ID, *asked.headers]
    return cast(
        "Any",
        {
            "type": "http",
            "method": asked.method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": asked.root_path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
            "client": ("203.0.113.7", 4711),
            "server": ("test", 80),
            "scheme": "http",
            "http_version": "1.1",
        },
    )
