"""`Idempotency-Key`: reads the header, follows the body, and says where an earlier answer was given again."""

import re
from dataclasses import replace

from midrise.foundation.actor import Actor
from midrise.foundation.database.idempotency import Attempt
from midrise.foundation.errors import Fault, FaultCode, InvalidParameters
from midrise.foundation.http.asgi import App, Message, Receive, Scope, Send, header_of
from midrise.foundation.http.middleware.error_boundary import send_problem

# 1 to 255 printable ASCII characters, bare or as a string of RFC 9651, section 3.3.3.
_BARE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"')
_ESCAPED = re.compile(r'\\(["\\])')
_REPLAYED = (b"idempotency-replayed", b"true")


class IdempotencyKeys:
    """Gives the actor of a `POST` the attempt that it makes. Verbs that store nothing leave it alone."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        header = header_of(scope, b"idempotency-key") if scope["method"] == "POST" else ""
        if not header and not _is_sent(scope):
            await self._app(scope, receive, send)
            return
        key = read_key(header)
        if key is None:
            await send_problem(_refusal(), scope, send)
            return
        actor: Actor = scope["state"]["actor"]
        attempt = Attempt(
            scope=f"user:{actor.user_id}" if actor.user_id else f"address:{actor.address}",
            key=key,
            target=f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}",
        )
        scope["state"]["actor"] = replace(actor, attempt=attempt)

        async def receive_and_hash() -> Message:
            message = await receive()
            attempt.add_body(message.get("body", b""))
            return message

        async def send_and_tell(message: Message) -> None:
            if attempt.replayed and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _REPLAYED]
            await send(message)

        await self._app(scope, receive_and_hash, send_and_tell)


def read_key(header: str) -> str | None:
    """The key in the header, quoted or bare; None for what is neither."""
    quoted = _QUOTED.fullmatch(header)
    if quoted:
        key = _ESCAPED.sub(r"\1", quoted[1])
        return key if len(key) <= 255 else None
    return header if _BARE.fullmatch(header) and not header.startswith('"') else None


def _is_sent(scope: Scope) -> bool:
    return scope["method"] == "POST" and any(name == b"idempotency-key" for name, _ in scope["headers"])


def _refusal() -> InvalidParameters:
    expected = "1 to 255 printable ASCII characters, in quotes or bare"
    fault = Fault(FaultCode.WRONG_FORMAT, header="Idempotency-Key", arguments={"expected": expected})
    return InvalidParameters([fault])
