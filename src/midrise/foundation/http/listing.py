"""Lists over HTTP: which page is asked for, and the page as the answer with the way to the next."""

from collections.abc import Iterable, Mapping, Sequence
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
        self._parameters = [pair for pair in pairs_of(scope["query_string"]) if pair[0] != "cursor"]
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
        target = f"{quote(self._path)}?{_encoded([*self._parameters, ('cursor', cursor)])}"
        link = {"link": f'<{target}>; rel="next"'}
        return PlainAnswer(ListOf(page.rows, cursor), headers={**(headers or {}), **link})

    def _query(self) -> str:
        """What a cursor belongs to."""
        return f"{self._path}?{_encoded(sorted(pair for pair in self._parameters if pair[0] != 'limit'))}"


CurrentListing = Injected[Listing]


def _encoded(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join([f"{_quoted(name)}={_quoted(value)}" for name, value in pairs])


_quoted = lru_cache(maxsize=256)(quote_plus)
