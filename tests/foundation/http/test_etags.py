"""Tags say which state of a resource a client has, or means to change."""

import pytest
from litestar import get, patch
from tests.foundation.http.small_app import client_of, faults_of, small_app

from midrise.foundation.errors import InvalidParameters
from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.etags import IfMatch, IfNoneMatch, expected, is_known, quoted, resource_answer
from midrise.foundation.versions import Expected

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        (None, None),
        ('"1"', ("1",)),
        ('W/"1"', ("1",)),
        ('"1.7"', ("1.7",)),
        ('"1", "2"', ("1", "2")),
        (' "1" ,W/"2"', ("1", "2")),
        ('"1",', ("1",)),
        ('""', ("",)),
        ("*", ("*",)),
        (" * ", ("*",)),
    ],
)
def test_if_match_is_a_list_of_tags(header, versions):
    assert expected(header) == Expected(versions)


@pytest.mark.parametrize("header", ["", " ", "1", '"1', '1"', '"1" "2"', "w/1", 'w/"1"', '"1", *', '"a"b', ","])
def test_what_is_no_list_of_tags_is_refused(header):
    with pytest.raises(InvalidParameters) as refused:
        expected(header)
    (fault,) = refused.value.faults
    assert fault.header == "If-Match"


@pytest.mark.parametrize(
    ("header", "known"),
    [(None, False), ('"7.1"', True), ('W/"7.1"', True), ('"1", "7.1"', True), ("*", True), ('"7"', False)],
)
def test_a_state_is_known_by_its_whole_tag(header, known):
    assert is_known(header, "7.1") is known


@pytest.mark.parametrize("header", ["", "7.1", '"7.1', "nonsense"])
def test_a_client_that_asks_oddly_gets_the_whole(header):
    assert not is_known(header, "7.1")


def test_tags_are_quoted():
    assert quoted("7.1") == '"7.1"'


@get("/thing", access=ANYONE)
async def get_thing(if_none_match: IfNoneMatch = None) -> object:
    return resource_answer({"name": "mug"}, tag="7.1", if_none_match=if_none_match)


@patch("/thing", access=ANYONE)
async def change_thing(if_match: IfMatch = None) -> object:
    expected(if_match).check("7", current="7.1")
    return resource_answer({"name": "mug"}, tag="8.1", status_code=201, location="/thing")


@pytest.fixture
async def client():
    async with client_of(small_app(get_thing, change_thing)) as client:
        yield client


async def test_a_resource_carries_its_tag(client):
    answer = await client.get("/thing")
    assert (answer.status_code, answer.headers["etag"]) == (200, '"7.1"')


async def test_who_has_it_gets_304_without_a_body(client):
    answer = await client.get("/thing", headers={"If-None-Match": '"7.1"'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["etag"] == '"7.1"'
    assert "content-type" not in answer.headers


async def test_a_head_gets_304_as_well(client):
    assert (await client.head("/thing", headers={"If-None-Match": '"7.1"'})).status_code == 304


async def test_a_change_of_the_present_state_goes_through(client):
    for header in ('"7.1"', '"7.9"', 'W/"7.1"', "*"):
        answer = await client.patch("/thing", headers={"If-Match": header})
        assert (answer.status_code, answer.headers["etag"]) == (201, '"8.1"')
        assert answer.headers["location"] == "/thing"


async def test_a_change_of_another_state_is_told_the_present_one(client):
    answer = await client.patch("/thing", headers={"If-Match": '"6.1"'})
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert answer.headers["etag"] == '"7.1"'


@pytest.mark.parametrize(("header", "code"), [("7", "wrong_format"), ('"' + "7" * 1000 + '"', "too_long")])
async def test_a_header_that_is_wrong_is_named(client, header, code):
    answer = await client.patch("/thing", headers={"If-Match": header})
    assert answer.status_code == 400
    assert faults_of(answer) == {"If-Match": code}
