"""`HEAD` wherever there is `GET`: the same headers, no body (RFC 9110, section 9.3.2)."""

from collections.abc import Awaitable

from midrise.foundation.http.asgi import App, Message, Receive, Scope, Send


class HeadAnswers:
    """Has a `HEAD` answered as a `GET`, and leaves the body out."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["method"] != "HEAD":
            return self._app(scope, receive, send)
        return self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        scope["state"]["method"] = "HEAD"
        # The server looks at its own scope when the answer comes: there it must stay a HEAD.
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send_without_body)
        finally:
            # What the framework found out belongs to the request, for the log.
            scope.update({name: asked[name] for name in asked.keys() - scope.keys()})
