"""Lists by keyset: a page starts behind the last row of the one before; page 10,000 costs what page 1 costs."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from midrise.foundation.errors import InvalidCursor
from midrise.foundation.security.macs import Mac

Row = TypeVar("Row")
Shown = TypeVar("Shown")

LARGEST_LIMIT = 100
USUAL_LIMIT = 20
_MAC_BYTES = 12


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is wanted: at most ``limit`` rows behind the row whose keys are ``after``."""

    limit: int = USUAL_LIMIT
    after: tuple[object, ...] | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """The rows of a page, and the keys of its last row where more follow."""

    rows: Sequence[Row]
    next_after: tuple[object, ...] | None = None

    def map(self, show: Callable[[Row], Shown]) -> "Page[Shown]":
        return Page([show(row) for row in self.rows], self.next_after)


def page_of(rows: Sequence[Row], request: PageRequest, keys: Callable[[Row], tuple[object, ...]]) -> Page[Row]:
    """The page in ``rows``, which were asked for with one row more than the page holds."""
    if len(rows) <= request.limit:
        return Page(rows)
    shown = rows[: request.limit]
    return Page(shown, keys(shown[-1]))


def page_of_sorted(rows: Sequence[Row], request: PageRequest, *, key: Callable[[Row], str]) -> Page[Row]:
    """The page in ``rows`` that are all in memory, sorted by ``key``."""
    after = request.after[0] if request.after else None
    behind = [row for row in rows if after is None or key(row) > str(after)]
    return page_of(behind[: request.limit + 1], request, lambda row: (key(row),))


class CursorSigner:
    """Turns the keys of a row into the opaque cursor of one query, and back.

    The signature covers the query, so a cursor that was changed, or that belongs to other filters or another
    order, is refused the same way.
    """

    def __init__(self, key: bytes) -> None:
        self._key = Mac(key)

    def sign(self, keys: tuple[object, ...], *, query: str) -> str:
        payload = msgspec.msgpack.encode(keys)
        return urlsafe_b64encode(self._mac(payload, query) + payload).rstrip(b"=").decode()

    def read(self, cursor: str, *, query: str, types: type[tuple[object, ...]]) -> tuple[object, ...]:
        """The keys in the cursor, as the tuple type says. Raises `InvalidCursor`."""
        try:
            signed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except (ValueError, UnicodeEncodeError):
            raise InvalidCursor from None
        mac, payload = signed[:_MAC_BYTES], signed[_MAC_BYTES:]
        # Decoding skips characters outside the alphabet: only the one true spelling is taken.
        spelling = urlsafe_b64encode(signed).rstrip(b"=").decode()
        if spelling != cursor or not hmac.compare_digest(mac, self._mac(payload, query)):
            raise InvalidCursor
        try:
            return msgspec.msgpack.decode(payload, type=types)
        except msgspec.MsgspecError:
            raise InvalidCursor from None

    def _mac(self, payload: bytes, query: str) -> bytes:
        return self._key.digest(query.encode() + b"\0" + payload)[:_MAC_BYTES]
