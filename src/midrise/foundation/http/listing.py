"""Lists over HTTP: which page is asked for, and the page as the answer with the way to the next."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar
from urllib.parse import quote, quote_plus

import msgspec
from litestar import Response

from midrise.foundation.http.asgi import Scope
from midrise.foundation.http.current import Injected
from midrise.foundation.http.parameters import pairs_of
from midrise.foundation.http.plain_answer import PlainAnswer
from midrise.foundation.paging import CursorSigner, Page, PageRequest

Item = TypeVar("Item")

_PLAIN = re.compile(rb"(?:[A-Za-z0-9_.~-]+=[A-Za-z0-9_.~-]*(?:&|$))+")
"""A query of which nothing has to be quoted (RFC 3986, section 2.3)."""


class ListOf(msgspec.Struct, Generic[Item]):
    """A page of a list; `next_cursor` is null on the last one."""

    items: Sequence[Item]
    next_cursor: str | None = None


class Listing:
    """The list that one request asks for.

    A cursor belongs to a path with its filters and its order, whatever the limit.
    """

    def __init__(self, scope: Scope, cursors: CursorSigner) -> None:
        self._path: str = scope["path"]
        self._spelt = [each for each in _spelt(scope["query_string"]) if not each.startswith("cursor=")]
        self._cursors = cursors

    def page(self, limit: int, cursor: str | None, *, keys: type[tuple[Any, ...]]) -> PageRequest:
        """The page that is asked for; ``keys`` are the types of what rows are found by.

        Raises `InvalidCursor` for a cursor that was changed or is another query's.
        """
        if cursor is None:
            return PageRequest(limit)
        return PageRequest(limit, self._cursors.read(cursor, query=self._query(), types=keys))

    def answer(self, page: Page[Item], *, headers: Mapping[str, str] | None = None) -> Response[ListOf[Item]]:
        """The page as the answer, with `Link: <…>; rel="next"` (RFC 8288) where more follows."""
        if page.next_after is None:
            return PlainAnswer(ListOf(page.rows), headers=headers)
        cursor = self._cursors.sign(page.next_after, query=self._query())
        target = f"{_quoted_path(self._path)}?{'&'.join([*self._spelt, f'cursor={cursor}'])}"
        link = {"link": f'<{target}>; rel="next"'}
        return PlainAnswer(ListOf(page.rows, cursor), headers={**(headers or {}), **link})

    def _query(self) -> str:
        """What a cursor belongs to."""
        return (
            f"{self._path}?{'&'.join(sorted([each for each in self._spelt if not each.startswith('limit=')]))}"
        )


CurrentListing = Injected[Listing]


def _spelt(query: bytes) -> Sequence[str]:
    """Each parameter in the one spelling that cursors and links have."""
    if _PLAIN.fullmatch(query):
        return query.decode("ascii").rstrip("&").split("&")
    return [f"{_quoted(name)}={_quoted(value)}" for name, value in pairs_of(query)]


_quoted = lru_cache(maxsize=256)(quote_plus)
_quoted_path = lru_cache(maxsize=256)(quote)
