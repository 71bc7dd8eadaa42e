"""A request's body, which a server gives only once."""

from collections import deque

from midrise.foundation.http.asgi import Message, Receive


class ReceivedBody:
    """What was received of a body. Whoever comes later can receive it again, with whatever ended it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: deque[Message] = deque()
        self._error: Exception | None = None

    async def read(self) -> bytes | None:
        """All of it; None where it broke off."""
        parts: list[bytes] = []
        while True:
            try:
                message = await self._receive()
            except Exception as error:  # noqa: BLE001  whatever it is, it is raised again where it is awaited
                self._error = error
                return None
            self._messages.append(message)
            if message["type"] != "http.request":
                return None
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                return b"".join(parts)

    async def receive_again(self) -> Message:
        """The next message, as it was received the first time. Raises what was raised then."""
        if self._messages:
            return self._messages.popleft()
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                del error  # which holds this frame
        return await self._receive()
