"""A struct as JSON, a status and headers: what nearly every handler answers."""

from collections.abc import Mapping
from typing import TypeVar

from litestar import Response

Shown = TypeVar("Shown")


class PlainAnswer(Response[Shown]):
    """A `Response` of a struct: no cookies, no work afterwards, no other media type.

    Litestar's looks at the types of all these first, which costs as much as the encoding.
    """

    def __init__(
        self, content: Shown, *, status_code: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        self.content = content
        self.status_code = status_code
        self.headers = dict(headers) if headers is not None else {}
        self.background = None
        self.cookies = []
        self.encoding = "utf-8"
        self.media_type = None
        self.response_type_encoders = {}
