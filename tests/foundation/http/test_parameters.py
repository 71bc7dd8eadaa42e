"""Query parameters are known, stand once and are spelt as JSON spells their type."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import get
from litestar.params import FromPath, QueryParameter
from tests.foundation.http.small_app import client_of, faults_of, small_app

from midrise.foundation.http.access import ANYONE

pytestmark = pytest.mark.anyio

AN_ID = "0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21"


class Colour(StrEnum):
    RED = "red"
    NULL = "none"


Code = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", extra={"expected": "three capital letters"})]


@get("/things/{thing:str}", access=ANYONE)
async def list_things(
    thing: FromPath[str],
    count: Annotated[int | None, QueryParameter(ge=-5, le=10**18)] = None,
    is_open: Annotated[bool | None, QueryParameter()] = None,
    colour: Annotated[Colour | None, QueryParameter()] = None,
    owner: Annotated[UUID | None, QueryParameter()] = None,
    since: Annotated[datetime | None, QueryParameter()] = None,
    note: Annotated[str | None, QueryParameter(max_length=5)] = None,
    code: Annotated[Code | None, QueryParameter()] = None,
    form: Annotated[str, QueryParameter(pattern="^[a-z]+$")] = "plain",
) -> dict[str, Any]:
    given = {"count": count, "is_open": is_open, "colour": colour, "owner": owner, "since": since}
    return {"thing": thing, **given, "note": note, "code": code, "form": form}


@pytest.fixture
async def client():
    async with client_of(small_app(list_things)) as client:
        yield client


async def ask(client: httpx.AsyncClient, **query: str) -> httpx.Response:
    return await client.get("/things/mug", params=query)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "0", 0),
        ("count", "-5", -5),
        ("count", str(10**18), 10**18),
        ("is_open", "true", True),
        ("is_open", "false", False),
        ("colour", "none", "none"),
        ("owner", AN_ID, AN_ID),
        ("since", "2026-11-23T04:05:06.789Z", "2026-11-23T04:05:06.789000Z"),
        ("since", "2026-11-23T10:05:06+06:00", "2026-11-23T10:05:06+06:00"),
        ("note", "null", "null"),
        ("note", "", ""),
        ("note", "true", "true"),
        ("note", "\n", "\n"),
        ("code", "BDT", "BDT"),
    ],
)
async def test_what_is_spelt_right_is_taken(client, name, text, value):
    answer = await ask(client, **{name: text})
    assert answer.status_code == 200, answer.text
    assert answer.json()[name] == value


@pytest.mark.parametrize(
    ("name", "code", "texts"),
    [
        ("count", "wrong_type", ["null", "NULL", "", " 1", "1 ", "1.0", "1e3", "+1", "01", "0x1", "1_0", "٣"]),
        ("count", "too_small", ["-6"]),
        ("count", "too_large", [str(10**18 + 1), str(2**64), "9" * 200]),
        ("count", "wrong_format", ["9" * 5000]),
        ("is_open", "wrong_type", ["null", "1", "0", "True", "TRUE", "yes", "", " true"]),
        ("colour", "not_allowed", ["null", "RED", "", "red "]),
        ("owner", "wrong_format", ["null", "1", "", f"urn:uuid:{AN_ID}", f"{{{AN_ID}}}"]),
        ("since", "wrong_format", ["null", "1763871906", "1e9", "2026-11-23", "2026-11-23T04:05:06", ""]),
        (
            "since",
            "wrong_format",
            ["2026-13-23T04:05:06Z", "2026-11-23T25:05:06Z", "2026-11-23T04:05:06 06:00"],
        ),
        ("since", "wrong_format", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"]),
        ("note", "too_long", ["sixsix"]),
        ("note", "nul_character", ["a\0b"]),
        ("code", "wrong_format", ["bdt", "BDT\n", "BDTX", "null"]),
        ("form", "wrong_format", ["A", "a\n"]),
    ],
)
async def test_every_other_spelling_is_a_fault(client, name, code, texts):
    for text in texts:
        answer = await ask(client, **{name: text})
        assert answer.status_code == 400, text
        assert answer.json()["code"] == "invalid_parameters", text
        assert faults_of(answer) == {name: code}, text


async def test_every_wrong_parameter_is_named_at_once(client):
    answer = await client.get("/things/mug?count=null&is_open=1&colour=blue&note=sixsix&note=seven&since=now")
    assert answer.json()["detail"] == "5 parameters are not valid"
    assert faults_of(answer) == {
        "count": "wrong_type",
        "is_open": "wrong_type",
        "colour": "not_allowed",
        "note": "repeated",
        "since": "wrong_format",
    }


async def test_every_unknown_parameter_is_named_at_once(client):
    answer = await ask(client, Count="1", page="2", note="x")
    assert answer.status_code == 400
    assert answer.json()["code"] == "unknown_parameter"
    assert faults_of(answer) == {"Count": "unknown_parameter", "page": "unknown_parameter"}


async def test_what_is_wrong_beside_an_unknown_parameter_is_named_as_well(client):
    answer = await client.get("/things/mug?page=2&count=null&note=sixsix")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_parameter")
    assert faults_of(answer) == {"page": "unknown_parameter", "count": "wrong_type", "note": "too_long"}


async def test_the_name_of_an_unknown_parameter_is_told_in_part_only(client):
    answer = await client.get(f"/things/mug?{'x' * 5000}=1")
    assert list(faults_of(answer)) == ["x" * 100]


async def test_an_answer_names_a_hundred_parameters_at_most(client):
    answer = await client.get("/things/mug?" + "&".join(f"x{number}=1" for number in range(1000)))
    assert len(answer.json()["errors"]) == 100


@pytest.mark.parametrize("query", ["note=%ff", "note=%c3%28", "%ff=1", "note=%ed%a0%80"])
async def test_a_query_that_is_not_utf_8_can_not_be_read(client, query):
    answer = await client.get(f"/things/mug?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_raw_bytes_in_a_query_can_not_be_read():
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": "GET", "path": "/things/mug", "headers": [], "client": None}
    await small_app(list_things)({**scope, "query_string": b"note=\xff"}, receive, send)
    assert sent[0]["status"] == 400


async def test_nothing_is_found_under_a_path_with_nul(client):
    assert (await client.get(f"/things/{quote(chr(0))}")).status_code == 404


async def test_what_a_pattern_asks_for_is_told_in_words(client):
    (fault,) = (await ask(client, code="taka")).json()["errors"]
    assert fault["detail"] == "must be three capital letters"


async def test_a_pattern_without_words_refers_to_the_documentation(client):
    (fault,) = (await ask(client, form="A")).json()["errors"]
    assert fault["detail"] == "must be in the form that the documentation gives"


async def test_wrong_parameters_are_told_in_bengali_too(client):
    answer = await client.get("/things/mug?count=null", headers={"Accept-Language": "bn"})
    (fault,) = answer.json()["errors"]
    assert fault["detail"].startswith("পূর্ণ সংখ্যা হতে হবে")
