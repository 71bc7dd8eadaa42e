"""`HEAD` wherever there is `GET`: the same headers, no body (RFC 9110, section 9.3.2)."""

from midrise.foundation.http.asgi import App, Message, Receive, Scope, Send


class HeadAnswers:
    """Has a `HEAD` answered as a `GET`, and leaves the body out."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["state"]["method"] = "HEAD"
        scope["method"] = "GET"
        await self._app(scope, receive, send_without_body)
