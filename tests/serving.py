"""The application as Midrise's own server calls it, for clients in the same process."""

import asyncio

from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.http.protocol import WHOLE_ANSWER


class WholeAnswers:
    """Lets an application begin requests without a task and send its answers in one piece, and takes them apart
    again for httpx.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.answered_in_one_step = 0
        """How many answers no layer had a part in."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole: list[tuple[int, bytes, bytes]] = []
        decided = asyncio.Event()

        def send_whole(status: int, lines: bytes, body: bytes) -> bool:
            whole.append((status, lines, body))
            decided.set()
            return True

        scope["extensions"] = {WHOLE_ANSWER: send_whole}
        begin = getattr(self._app, "begin", None)
        if begin is not None and begin(scope, decided.set):
            await decided.wait()
        if whole:
            self.answered_in_one_step += 1
        else:
            await self._app(scope, receive, send)
        for status, lines, body in whole:
            headers = [tuple(line.split(b": ", 1)) for line in lines.split(b"\r\n")[:-1]]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": False})
