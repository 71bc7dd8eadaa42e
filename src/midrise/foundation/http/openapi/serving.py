"""`/openapi.json`."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, cast

import msgspec
from litestar import Litestar, Response, get
from litestar.handlers import HTTPRouteHandler

from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.etags import IfNoneMatch, resource_answer
from midrise.foundation.http.openapi.document import document_of

_ASK_AGAIN = "no-cache"

Document = Annotated[dict[str, Any], msgspec.Meta(examples=[{"openapi": "3.1.0", "info": {}, "paths": {}}])]


class OpenApi:
    """Serves the document of an application that its handlers are part of. It is made once, as bytes."""

    def __init__(self) -> None:
        self.handlers: Sequence[HTTPRouteHandler] = [self._handler()]
        self._content = b""
        self._tag = ""

    def describe(self, app: Litestar) -> None:
        """Make the document. Raises `CallsShareName` and `SchemaUnknown` for what can't be described."""
        self._content = msgspec.json.encode(document_of(app))
        self._tag = sha256(self._content).hexdigest()[:32]

    def _handler(self) -> HTTPRouteHandler:
        @get("/openapi.json", access=ANYONE, summary="Get this document", tags=["Operation"])
        async def get_openapi(if_none_match: IfNoneMatch = None) -> Response[Document]:
            """OpenAPI 3.1 of every call, with examples and the errors that each can end with."""
            answer = resource_answer(self._content, tag=self._tag, if_none_match=if_none_match)
            answer.headers["cache-control"] = _ASK_AGAIN
            answer.media_type = "application/json"
            return cast("Response[Document]", answer)

        return get_openapi
