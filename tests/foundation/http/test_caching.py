"""Which requests have a plan, and what stands for them."""

from typing import Annotated
from uuid import UUID

import pytest
from litestar import get
from litestar.params import PathParameter
from tests.foundation.http.small_app import small_app

from midrise.foundation.actor import Actor
from midrise.foundation.http.access import ANYONE, KNOWN_CALLER
from midrise.foundation.http.caching import Cached, CachePlans, NotCacheable
from midrise.foundation.ids import new_id

ThingId = Annotated[UUID, PathParameter()]
InPath = Annotated[str, PathParameter()]
THING = "0193b3a0-0000-7000-8000-00000000abcd"


@get("/things", access=ANYONE, cached=Cached("things", split_by="things:write"))
async def list_things() -> None: ...


@get("/things/{thing_id:uuid}", access=ANYONE, cached=Cached("thing:{thing_id}"))
async def get_thing(thing_id: ThingId) -> None: ...


@get("/things/by-name/{name:str}", access=ANYONE, cached=Cached("things", "name:{name}"))
async def get_by_name(name: InPath) -> None: ...


@get("/mine", access=KNOWN_CALLER, cached=Cached("user:{caller}"))
async def get_mine() -> None: ...


@get("/plain", access=ANYONE)
async def get_plain() -> None: ...


def plans(*handlers) -> CachePlans:
    return CachePlans.of(framework(small_app(*handlers)))


def framework(app):
    """The framework inside of the middleware."""
    while hasattr(app, "_app"):
        app = app._app
    return app


@pytest.fixture
def known() -> CachePlans:
    return plans(list_things, get_thing, get_by_name, get_mine, get_plain)


def actor(**fields) -> Actor:
    return Actor("203.0.113.7", "r1", "test", **fields)


def test_a_plan_names_the_generations_of_its_answer(known):
    assert known.find("/things", b"").generations == ("things",)
    assert known.find(f"/things/{THING}", b"").generations == (f"thing:{THING}",)
    assert known.find("/things/by-name/mug", b"").generations == ("things", "name:mug")


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/plain", b""),
        ("/nowhere", b""),
        ("/things/more/than/that", b""),
        ("/things/5", b""),
        ("/things/by-name/mug?colour=red", b""),
        ("/things/by-name/" + "x" * 1000, b""),
    ],
)
def test_what_is_no_such_call_has_none(known, path, query):
    assert known.find(path, query) is None


@pytest.mark.parametrize("spelt", [THING.upper(), THING.replace("-", ""), f"{{{THING}}}", f"urn:uuid:{THING}"])
def test_an_id_in_another_spelling_is_the_same(known, spelt):
    assert known.find(f"/things/{spelt}", b"a=1") == known.find(f"/things/{THING}", b"a=1")


def test_a_long_query_has_a_plan_as_well(known):
    calls = [known.find("/things", b"q=" + b"x" * 1000 + end) for end in (b"1", b"2", b"&a=1")]
    assert {call.generations for call in calls} == {("things",)}
    assert len({call.key(actor()) for call in calls}) == 3
    assert all(len(call.target) < 100 for call in calls)
    assert known.find("/things", b"a=1&q=" + b"x" * 1000) == calls[2]


def test_a_call_stands_for_its_path_and_query_in_any_order(known):
    one, other = known.find("/things", b"b=2&a=1"), known.find("/things", b"a=1&b=2")
    assert one.key(actor()) == other.key(actor())
    keys = {known.find("/things", query).key(actor()) for query in (b"", b"a=1", b"a=2", b"a=1&b=2")}
    assert len(keys) == 4


def test_who_may_see_more_has_an_answer_of_their_own(known):
    call = known.find("/things", b"")
    keeper = actor(user_id=new_id(), permissions=frozenset({"things:write"}))
    assert call.key(actor()) == call.key(actor(user_id=new_id()))
    assert call.key(keeper) != call.key(actor())
    mine = known.find("/mine", b"")
    assert mine.key(actor(user_id=new_id())) != mine.key(actor(user_id=new_id()))


@get("/things/{thing_id:uuid}/parts", access=ANYONE, cached=Cached("thing:{thing_id}"))
async def list_parts(thing_id: ThingId) -> None: ...


@get("/things/{thing_id:uuid}/parts/{part:str}", access=ANYONE, cached=Cached("thing:{thing_id}"))
async def get_part(thing_id: ThingId, part: InPath) -> None: ...


@pytest.mark.parametrize("handler", [list_parts, get_part])
def test_a_path_that_can_not_be_planned_keeps_the_service_from_starting(handler):
    with pytest.raises(NotCacheable, match="/things/"):
        plans(handler)
