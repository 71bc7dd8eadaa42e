"""Reads are answered without the framework exactly as they would be with it."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
import pytest
from litestar import Request, Response, get, post
from litestar.params import FromPath, HeaderParameter, QueryParameter
from tests.foundation.http.small_app import PERMISSION, client_of, small_app

from midrise.foundation.errors import Conflict, NotFound
from midrise.foundation.http.access import ANYONE, KNOWN_CALLER, needs
from midrise.foundation.http.current import CurrentActor
from midrise.foundation.http.etags import IfNoneMatch, resource_answer
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.http.prepared_calls import PreparedCalls
from midrise.foundation.paging import page_of_sorted

pytestmark = pytest.mark.anyio

NUMBER = "0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21"


class Colour(StrEnum):
    """Of a thing."""

    BLUE = "blue"
    RED = "red"


class Thing(msgspec.Struct):
    """What is shown."""

    name: str
    made_at: datetime = datetime(2026, 1, 2, 3, 4, 5, 600, UTC)
    price: float = 1.0


class Broken(Conflict):
    """It is broken."""

    code = "broken"


@get("/things/{thing_id:uuid}", access=ANYONE)
async def get_thing(
    thing_id: FromPath[UUID], actor: CurrentActor, if_none_match: IfNoneMatch = None
) -> Response[Thing]:
    return resource_answer(Thing(f"{thing_id} {actor.user_id}"), tag="1", if_none_match=if_none_match)


@get("/things", access=ANYONE)
async def list_things(
    listing: CurrentListing,
    limit: Limit = 2,
    cursor: Cursor = None,
    colour: Annotated[Colour | None, QueryParameter()] = None,
    sold: Annotated[bool | None, QueryParameter()] = None,
    word: Annotated[str | None, QueryParameter(name="q", max_length=3)] = None,
) -> Response[ListOf[str]]:
    page = listing.page(limit, cursor, keys=tuple[str])
    return listing.answer(page_of_sorted([f"{colour!r}", f"{sold}", f"{word}"], page, key=str))


@get("/things/by-name/{name:str}", access=ANYONE)
async def get_thing_by_name(name: FromPath[str]) -> Thing:
    match name:
        case "none":
            raise NotFound("thing")
        case "broken":
            raise Broken
        case "bug":
            raise ValueError("canary")
    return Thing(name)


@get("/things/by-number/{number:int}", access=ANYONE)
async def get_thing_by_number(
    number: FromPath[int], size: Annotated[int, QueryParameter(ge=1)]
) -> Response[Thing]:
    return Response(Thing(f"{number} {size}"), status_code=203, headers={"X-Number": f"{number}"})


@get("/secret", access=KNOWN_CALLER)
async def get_secret() -> Thing:
    return Thing("secret")


@get("/drawer", access=needs(PERMISSION))
async def get_drawer() -> Thing:
    return Thing("drawer")


@get("/text", access=ANYONE, media_type="text/plain")
async def get_text() -> Response[str]:
    return Response("text", headers={"x-kind": "text"})


@get("/bytes", access=ANYONE)
async def get_bytes() -> Response[bytes]:
    return Response(b"bytes", media_type="application/octet-stream")


@get("/header", access=ANYONE)
async def get_header(
    word: Annotated[str, HeaderParameter(name="X-Word", max_length=3)], request: Request
) -> Thing:
    return Thing(f"{word} {request.url.path}")


@get("/word", access=ANYONE)
async def get_word(word: Annotated[str, HeaderParameter(name="X-Word", max_length=3)]) -> Thing:
    return Thing(word)


@get("/at-once", access=ANYONE, sync_to_thread=False)
def get_at_once() -> Thing:
    return Thing("at once")


@post("/things", access=ANYONE)
async def create_thing() -> Thing:
    return Thing("new")


HANDLERS = (
    *(get_thing, list_things, get_thing_by_name, get_thing_by_number, get_secret, get_drawer, get_text),
    *(get_bytes, get_header, get_word, get_at_once, create_thing),
)
REQUESTS = [
    ("GET", f"/things/{NUMBER}", {}),
    ("GET", f"/things/{NUMBER.upper()}", {}),
    ("GET", f"/things/{NUMBER}", {"If-None-Match": '"1"'}),
    ("GET", f"/things/{NUMBER}", {"If-None-Match": '"2"'}),
    ("GET", f"/things/{NUMBER}", {"If-None-Match": "x" * 1001}),
    ("GET", f"/things/{NUMBER}/", {}),
    ("GET", f"//things//{NUMBER}", {}),
    ("GET", f"/things/{NUMBER}?q=1", {}),
    ("GET", "/things/mug", {}),
    ("GET", "/things/%00", {}),
    ("HEAD", f"/things/{NUMBER}", {}),
    ("OPTIONS", f"/things/{NUMBER}", {}),
    ("DELETE", f"/things/{NUMBER}", {}),
    ("GET", "/things", {}),
    ("GET", "/things?limit=3&colour=red&sold=true&q=a%20b", {}),
    ("GET", "/things?q=a+b&limit=1", {}),
    ("GET", "/things?colour=green&sold=1&limit=0&q=abcd&x=y", {}),
    ("GET", "/things?colour=green&sold=1&limit=0&q=abcd", {}),
    ("GET", "/things?q=a&q=b", {}),
    ("GET", "/things?q=%FF", {}),
    ("GET", "/things?q=", {}),
    ("GET", "/things?q", {}),
    ("GET", "/things?cursor=x", {}),
    ("GET", "/things", {"Content-Length": "2"}),
    ("GET", "/things", {"Host": "bad host"}),
    ("GET", "/things/by-name/mug", {}),
    ("GET", "/things/by-name/%E0%A6%95", {}),
    ("GET", "/things/by-name/none", {"Accept-Language": "bn"}),
    ("GET", "/things/by-name/broken", {}),
    ("GET", "/things/by-name/bug", {}),
    ("GET", "/things/by-name", {}),
    ("GET", "/things/by-number/7?size=2", {}),
    ("GET", "/things/by-number/7?size=0", {}),
    ("GET", "/things/by-number/7", {}),
    ("GET", "/things/by-number/seven?size=2", {}),
    ("GET", "/secret", {}),
    ("GET", "/drawer", {}),
    ("GET", "/text", {}),
    ("GET", "/bytes", {}),
    ("GET", "/header", {"X-Word": "mug"}),
    ("GET", "/word", {"X-Word": "mug"}),
    ("GET", "/word", {"X-Word": "mugs"}),
    ("GET", "/word", {}),
    ("GET", "/at-once", {}),
    ("GET", "/nothing", {}),
    ("POST", "/things", {}),
]


@pytest.fixture
def without_framework(monkeypatch):
    """The handlers without the framework behind them: what is left to it ends in a 500."""

    async def refuse(scope, receive, send):
        raise RuntimeError("left to the framework")

    monkeypatch.setattr(
        "midrise.foundation.http.framework.PreparedCalls",
        lambda app, *, parameters, **_: PreparedCalls(app, parameters=parameters, framework=refuse),
    )
    return small_app(*HANDLERS)


@pytest.mark.parametrize(("method", "target", "headers"), REQUESTS)
async def test_an_answer_is_the_frameworks(method, target, headers, monkeypatch):
    prepared = small_app(*HANDLERS)
    monkeypatch.setattr(
        "midrise.foundation.http.framework.PreparedCalls", lambda *_, framework, **__: framework
    )
    plain = small_app(*HANDLERS)
    assert await told(prepared, method, target, headers) == await told(plain, method, target, headers)


@pytest.mark.parametrize(
    "target",
    [
        *(f"/things/{NUMBER}", "/things?q=a&sold=true", "/things/by-name/mug", "/things/by-name/none"),
        *("/things/by-number/7?size=2", "/word", "/text"),
    ],
)
async def test_a_usual_read_does_not_come_to_the_framework(target, without_framework):
    async with client_of(without_framework) as client:
        answer = await client.get(target, headers={"X-Word": "mug"})
    assert answer.status_code in {200, 203, 404}


@pytest.mark.parametrize("target", ["/secret", "/drawer"])
async def test_nobody_is_let_in_whom_the_framework_would_refuse(target, without_framework):
    async with client_of(without_framework) as client:
        assert (await client.get(target)).status_code == 500


async def told(app, method, target, headers):
    async with client_of(app) as client:
        sent = {"X-Request-ID": "0123456789abcdef0123456789abcdef", **headers}
        answer = await client.request(method, target, headers=sent)
    return answer.status_code, answer.headers.multi_items(), answer.content
