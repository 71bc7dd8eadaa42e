"""What may come twice: a `POST` with an `Idempotency-Key`, and what the gateway sends to a second instance."""

import re
from collections.abc import Awaitable

from msgspec.structs import replace

from midrise.foundation.actor import Actor
from midrise.foundation.database.idempotency import Attempt
from midrise.foundation.errors import Fault, FaultCode, InvalidParameters
from midrise.foundation.http.asgi import App, Message, Receive, Scope, Send
from midrise.foundation.http.middleware.client_address import GATEWAY_REQUEST
from midrise.foundation.http.middleware.error_boundary import send_problem

# 1 to 255 printable ASCII characters, bare or as a string of RFC 9651, section 3.3.3.
_BARE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"')
_ESCAPED = re.compile(r'\\(["\\])')
# nginx's `$request_id` is 32 hexadecimal digits; another proxy may number its requests otherwise.
_GATEWAY_KEY = re.compile(rb"[A-Za-z0-9._-]{16,128}")
_REPLAYED = (b"idempotency-replayed", b"true")

REPEATED_BY_GATEWAY = frozenset({"PUT", "DELETE"})
"""What changes something and is sent to a second instance when the first one breaks off: see `routes.conf`."""


class IdempotencyKeys:
    """Gives the actor of a `POST` or of what the gateway may repeat the attempt that it makes.

    Verbs that store nothing leave it alone. Only a client is told that it got an earlier answer: whose request
    was repeated by the gateway has sent it once.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        of_gateway = scope["method"] in REPEATED_BY_GATEWAY
        key = _key_of_gateway(scope) if of_gateway else _key_of_client(scope)
        if key is None:
            return self._app(scope, receive, send)
        if not key:
            return send_problem(_refusal(), scope, send)
        return self._attempt(key, scope, receive, send, of_gateway=of_gateway)

    def _attempt(
        self, key: str, scope: Scope, receive: Receive, send: Send, *, of_gateway: bool
    ) -> Awaitable[None]:
        actor: Actor = scope["state"]["actor"]
        attempt = Attempt(
            scope=_scope(actor),
            key=key,
            target=f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}",
            of_gateway=of_gateway,
        )
        scope["state"]["actor"] = replace(actor, attempt=attempt)

        async def receive_and_hash() -> Message:
            message = await receive()
            attempt.add_body(message.get("body", b""))
            return message

        def send_and_tell(message: Message) -> Awaitable[None]:
            if attempt.replayed and message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), _REPLAYED]
            return send(message)

        return self._app(scope, receive_and_hash, send if of_gateway else send_and_tell)


def _scope(actor: Actor) -> str:
    """Whose keys these are. A program must not be given what its owner, or another program, was answered."""
    if actor.api_key_id is not None:
        return f"api_key:{actor.api_key_id}"
    return f"user:{actor.user_id}" if actor.user_id else f"address:{actor.address}"


def read_key(header: str) -> str | None:
    """The key in the header, quoted or bare; None for what is neither."""
    quoted = _QUOTED.fullmatch(header)
    if quoted:
        key = _ESCAPED.sub(r"\1", quoted[1])
        return key if len(key) <= 255 else None
    return header if _BARE.fullmatch(header) and not header.startswith('"') else None


def _key_of_client(scope: Scope) -> str | None:
    """The key; an empty text for one that can't be, and None where there is none."""
    if scope["method"] != "POST":
        return None
    headers = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not headers:
        return None
    return read_key(str(headers[0], "latin-1")) or ""


def _key_of_gateway(scope: Scope) -> str | None:
    """The gateway's number of the request; None where none was sent, or not one."""
    headers = [value for name, value in scope["headers"] if name == GATEWAY_REQUEST]
    found = _GATEWAY_KEY.fullmatch(headers[0]) if len(headers) == 1 else None
    return str(found[0], "latin-1") if found else None


def _refusal() -> InvalidParameters:
    expected = "1 to 255 printable ASCII characters, in quotes or bare"
    fault = Fault(FaultCode.WRONG_FORMAT, header="Idempotency-Key", arguments={"expected": expected})
    return InvalidParameters([fault])
