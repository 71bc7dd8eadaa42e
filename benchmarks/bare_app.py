"""The limit of any API server: an app that answers at once, run as Midrise's own is run.

    python benchmarks/bare_app.py SOCKET

`/200/700` is answered with status 200 and 700 bytes.
"""

import sys
from functools import lru_cache
from pathlib import Path

from midrise.foundation.http.asgi import Message, Receive, Scope, Send
from midrise.foundation.http.server import Listener, run, serve


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI app."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    start, body = _messages(scope["path"])
    await send(start)
    await send(body)


@lru_cache
def _messages(path: str) -> tuple[Message, Message]:
    status, length = map(int, path.strip("/").split("/"))
    headers = [(b"content-type", b"application/json")]
    if status != 304:
        headers.append((b"content-length", str(length).encode()))
    return (
        {"type": "http.response.start", "status": status, "headers": headers},
        {"type": "http.response.body", "body": b"x" * length},
    )


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


if __name__ == "__main__":
    run(serve(answer, Listener(uds=Path(sys.argv[1]))))
