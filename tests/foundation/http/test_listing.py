"""A list comes by pages; the way to the next is in the body and in `Link`, and belongs to its query."""

from typing import Annotated
from urllib.parse import quote

import pytest
from litestar import Response, get
from litestar.params import FromPath, QueryParameter
from tests.foundation.http.small_app import client_of, faults_of, small_app

from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.paging import USUAL_LIMIT, page_of_sorted

pytestmark = pytest.mark.anyio

THINGS = [f"thing {number:03}" for number in range(250)]


@get("/shelves/{shelf:str}", access=ANYONE)
async def list_things(
    shelf: FromPath[str],
    listing: CurrentListing,
    limit: Limit = USUAL_LIMIT,
    cursor: Cursor = None,
    q: Annotated[str | None, QueryParameter()] = None,
    sort: Annotated[str | None, QueryParameter()] = None,
) -> Response[ListOf[str]]:
    wanted = listing.page(limit, cursor, keys=tuple[str])
    return listing.answer(page_of_sorted(THINGS, wanted, key=str))


@pytest.fixture
async def client():
    async with client_of(small_app(list_things)) as client:
        yield client


async def test_a_page_is_as_long_as_asked_for(client):
    assert (await client.get("/shelves/top")).json()["items"] == THINGS[:20]
    assert (await client.get("/shelves/top?limit=1")).json()["items"] == THINGS[:1]
    assert (await client.get("/shelves/top?limit=100")).json()["items"] == THINGS[:100]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "ten", "", "1.0"])
async def test_another_length_is_refused(client, limit):
    answer = await client.get("/shelves/top", params={"limit": limit})
    assert list(faults_of(answer)) == ["limit"]


async def test_the_link_leads_from_page_to_page_to_the_end(client):
    seen, next_page = [], "/shelves/top?limit=100&q=a+b%26c"
    while next_page:
        answer = await client.get(next_page)
        seen += answer.json()["items"]
        assert (answer.json()["next_cursor"] is None) == ("next" not in answer.links)
        next_page = answer.links["next"]["url"] if answer.links else None
    assert seen == THINGS


async def test_the_link_keeps_the_query_and_can_stand_in_a_header(client):
    path = "/shelves/" + quote("উপরের তাক")
    answer = await client.get(f"{path}?limit=1&q=%E0%A6%95&sort=")
    link = answer.headers["link"]
    assert link.startswith(f"<{path}?limit=1&q=%E0%A6%95&sort=&cursor=")
    assert link.endswith('>; rel="next"')


async def test_a_cursor_holds_however_its_query_is_spelt(client):
    cursor = (await client.get("/shelves/top?limit=2&q=a&sort=-name")).json()["next_cursor"]
    for query in ("q=%61&sort=%2Dname", "sort=-name&&q=a&", "limit=2&sort=-name&q=a"):
        answer = await client.get(f"/shelves/top?{query}&cursor={cursor}")
        assert answer.json()["items"][0] == THINGS[2]
        assert answer.links["next"]["url"].count("cursor=") == 1


async def test_the_last_page_has_no_next(client):
    cursor = (await client.get("/shelves/top?limit=100")).json()["next_cursor"]
    cursor = (await client.get("/shelves/top", params={"limit": 100, "cursor": cursor})).json()["next_cursor"]
    last = await client.get("/shelves/top", params={"limit": 100, "cursor": cursor})
    assert last.json() == {"items": THINGS[200:], "next_cursor": None}
    assert "link" not in last.headers


async def test_a_cursor_is_good_for_another_limit(client):
    cursor = (await client.get("/shelves/top?limit=10")).json()["next_cursor"]
    answer = await client.get("/shelves/top", params={"limit": 2, "cursor": cursor})
    assert answer.json()["items"] == THINGS[10:12]


async def test_the_order_of_filters_does_not_matter(client):
    cursor = (await client.get("/shelves/top?q=a&sort=b")).json()["next_cursor"]
    assert (await client.get(f"/shelves/top?sort=b&q=a&cursor={cursor}")).status_code == 200


@pytest.mark.parametrize("query", ["top?q=b", "top?q=a&sort=name", "top?q=", "top?limit=20", "low?q=a"])
async def test_a_cursor_belongs_to_its_query(client, query):
    cursor = (await client.get("/shelves/top?q=a")).json()["next_cursor"]
    answer = await client.get(f"/shelves/{query}&cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
    assert faults_of(answer) == {"cursor": "invalid_cursor"}


@pytest.mark.parametrize(
    "change", [str.upper, lambda cursor: cursor[:-1], lambda cursor: cursor + "=", lambda _: "x"]
)
async def test_a_cursor_that_was_changed_is_refused(client, change):
    cursor = (await client.get("/shelves/top")).json()["next_cursor"]
    answer = await client.get("/shelves/top", params={"cursor": change(cursor)})
    assert answer.json()["code"] == "invalid_cursor"
