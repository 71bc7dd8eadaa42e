"""Pages follow each other without gap or repetition, and a cursor can't be made or changed by a client."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from midrise.foundation.errors import InvalidCursor
from midrise.foundation.paging import CursorSigner, Page, PageRequest, page_of, page_of_sorted

SIGNER = CursorSigner(b"k" * 32)
QUERY = "/v1/products?status=active"


def numbers_of(row: int) -> tuple[int]:
    return (row,)


def test_a_page_that_is_not_full_is_the_last():
    assert page_of([1, 2], PageRequest(limit=2), numbers_of) == Page([1, 2], None)
    assert page_of([], PageRequest(limit=2), numbers_of) == Page([], None)


def test_one_row_more_than_asked_for_means_that_more_follows():
    assert page_of([1, 2, 3], PageRequest(limit=2), numbers_of) == Page([1, 2], (2,))


def test_a_page_is_shown_row_by_row_and_keeps_its_way_on():
    assert Page([1, 2], (2,)).map(str) == Page(["1", "2"], (2,))


@given(some.sets(some.text(max_size=4)), some.integers(1, 5))
def test_pages_in_memory_hold_every_row_once(names, limit):
    rows, seen, request = sorted(names), [], PageRequest(limit)
    for _ in range(len(rows) + 1):
        page = page_of_sorted(rows, request, key=str)
        seen += page.rows
        if page.next_after is None:
            break
        request = PageRequest(limit, page.next_after)
    assert seen == rows


def test_a_page_behind_a_row_that_is_gone_starts_where_it_stood():
    assert page_of_sorted(["a", "c"], PageRequest(after=("b",)), key=str).rows == ["c"]


@pytest.mark.parametrize(
    ("keys", "types"),
    [
        (("Mug", UUID(int=7)), tuple[str, UUID]),
        ((2**63 - 1, UUID(int=7)), tuple[int, UUID]),
        ((datetime(2026, 11, 23, 4, 5, 6, 789, tzinfo=UTC), UUID(int=7)), tuple[datetime, UUID]),
        (("", ""), tuple[str, str]),
    ],
)
def test_a_cursor_gives_back_the_keys(keys, types):
    cursor = SIGNER.sign(keys, query=QUERY)
    assert SIGNER.read(cursor, query=QUERY, types=types) == keys
    assert cursor.replace("-", "").replace("_", "").isalnum(), "it can stand in an address as it is"


def refused(cursor: str, *, query: str = QUERY, signer: CursorSigner = SIGNER, types=tuple[int]) -> bool:
    try:
        signer.read(cursor, query=query, types=types)
    except InvalidCursor:
        return True
    return False


def test_a_cursor_belongs_to_its_query():
    cursor = SIGNER.sign((7,), query=QUERY)
    assert not refused(cursor)
    assert refused(cursor, query="/v1/products?status=draft")
    assert refused(cursor, query="")


def test_a_cursor_belongs_to_its_key():
    assert refused(SIGNER.sign((7,), query=QUERY), signer=CursorSigner(b"other" * 8))


def test_a_cursor_of_other_types_is_refused():
    assert refused(SIGNER.sign(("seven",), query=QUERY))
    assert refused(SIGNER.sign((7, 8), query=QUERY))


@given(some.data())
def test_no_character_of_a_cursor_can_be_changed(data):
    cursor = SIGNER.sign((7,), query=QUERY)
    place = data.draw(some.integers(0, len(cursor) - 1))
    other = data.draw(some.characters())
    changed = cursor[:place] + other + cursor[place + 1 :]
    assert refused(changed) == (changed != cursor)


@given(some.text())
def test_nothing_else_is_a_cursor(text):
    assert refused(text)


@pytest.mark.parametrize("change", ["{}=", "{}==", " {}", "{} ", "{}\n", "{}A", "{}.", "\u0669{}"])
def test_a_cursor_has_one_spelling(change):
    assert refused(change.format(SIGNER.sign((7,), query=QUERY)))
