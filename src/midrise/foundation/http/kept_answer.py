"""An answer that is remembered: what of it is the same for everybody who asks."""

from functools import cached_property

import msgspec

from midrise.foundation.database.positions import Position
from midrise.foundation.http.protocol import lines_of

_NOT_MODIFIED_HEADERS = frozenset({b"cache-control", b"etag"})


class KeptAnswer(msgspec.Struct, frozen=True, dict=True):
    """An answer without what is made for each request. ``missing`` is the noun of one that says not found.

    ``place`` is how far the database had come when it was read.
    """

    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    tag: str = ""
    missing: str | None = None
    place: tuple[int, int, int] | None = None

    @cached_property
    def position(self) -> Position | None:
        """The place, to be compared with others."""
        return Position(*self.place) if self.place is not None else None

    @property
    def unchanged_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Those for a client that has the answer already (RFC 9110, section 15.4.5)."""
        return tuple([header for header in self.headers if header[0] in _NOT_MODIFIED_HEADERS])

    @cached_property
    def lines(self) -> bytes:
        """The headers as bytes."""
        return lines_of(self.headers)

    @cached_property
    def unchanged_lines(self) -> bytes:
        """Those of `unchanged_headers`."""
        return lines_of(self.unchanged_headers)

    @cached_property
    def names(self) -> frozenset[bytes]:
        """Of the headers."""
        return frozenset(name for name, _ in self.headers)
