"""A body is checked whole: what is no JSON is 400, what breaks a rule is 422 and names every field."""

import json
import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from litestar import patch, post
from litestar.params import JSONBody
from msgspec import UNSET, Meta, UnsetType
from tests.foundation.http.small_app import client_of, faults_of, small_app

from midrise.foundation.errors import Invalid, Malformed
from midrise.foundation.http import binding
from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.binding import BodyDecoder

pytestmark = pytest.mark.anyio


class Kind(StrEnum):
    MUG = "mug"
    CUP = "cup"


class Size(msgspec.Struct, forbid_unknown_fields=True):
    width: Annotated[int, Meta(ge=0, le=100)]
    unit: Annotated[str, Meta(pattern="^[a-z]+$", extra={"expected": "lower-case letters"})] = "mm"


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=10)]
    size: Size
    kind: Kind = Kind.MUG
    tags: Annotated[list[Annotated[str, Meta(max_length=3)]], Meta(max_length=2)] = msgspec.field(
        default_factory=list
    )
    facts: dict[Annotated[str, Meta(pattern="^[a-z]+$")], int | float | bool | str | None] = msgspec.field(
        default_factory=dict
    )
    owner: UUID | None = None
    since: datetime | None = None
    weight: float = 1.0


class ThingToChange(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1)] | UnsetType = UNSET


@post("/things", access=ANYONE)
async def create_thing(data: JSONBody[Thing]) -> Thing:
    return data


@patch("/things", access=ANYONE)
async def change_thing(data: JSONBody[ThingToChange]) -> dict[str, Any]:
    return msgspec.to_builtins(data)


RIGHT = {"name": "Mug", "size": {"width": 8}}


@pytest.fixture
async def client():
    async with client_of(small_app(create_thing, change_thing)) as client:
        yield client


async def send(client, body: bytes, *, content_type: str = "application/json", method: str = "POST"):
    headers = {"content-type": content_type} if content_type else {}
    return await client.request(method, "/things", content=body, headers=headers)


async def test_a_right_body_arrives(client):
    answer = await send(client, json.dumps({**RIGHT, "tags": ["a", "b"], "facts": {"depth": 1}}).encode())
    assert answer.status_code == 201, answer.text
    assert answer.json()["facts"] == {"depth": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b"{'name': 'Mug'}",
        b'{"name": "Mug"} {}',
        b'{"name": "Mug"}\0',
        b'{"name": NaN}',
        b'{"name": Infinity}',
        b'{"name": "M\nug"}',
        b'{"name": "\\ud800"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\xff"}',
        b'\xef\xbb\xbf{"name": "Mug"}',
        b'{"name": 1e999}',
        b"[" * 100_000,
        b'{"size":' * 100_000,
        json.dumps(RIGHT).encode("utf-16"),
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_what_is_no_json_is_400(client, body):
    answer = await send(client, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"name": ""}, {"/name": "too_short"}),
        ({"name": "elevenchars"}, {"/name": "too_long"}),
        ({"name": None}, {"/name": "wrong_type"}),
        ({"name": "a\0b"}, {"/name": "nul_character"}),
        ({"size": {}}, {"/size/width": "missing"}),
        ({"size": {"width": "8"}}, {"/size/width": "wrong_type"}),
        ({"size": {"width": True}}, {"/size/width": "wrong_type"}),
        ({"size": {"width": 8.5}}, {"/size/width": "wrong_type"}),
        ({"size": {"width": -1}}, {"/size/width": "too_small"}),
        ({"size": {"width": 10**30}}, {"/size/width": "too_large"}),
        ({"size": {"width": 8, "unit": "mm\n"}}, {"/size/unit": "wrong_format"}),
        ({"size": {"width": 8, "unit": "MM"}}, {"/size/unit": "wrong_format"}),
        ({"size": {"width": 8, "depth": 1}}, {"/size/depth": "unknown_field"}),
        ({"size": []}, {"/size": "wrong_type"}),
        ({"kind": "bowl"}, {"/kind": "not_allowed"}),
        ({"tags": ["long", 1]}, {"/tags/0": "too_long", "/tags/1": "wrong_type"}),
        ({"tags": ["a", "b", "c"]}, {"/tags": "too_long"}),
        ({"facts": {"depth": [1]}}, {"/facts/depth": "wrong_type"}),
        ({"facts": {"Depth": 1}}, {"/facts/Depth": "wrong_format"}),
        ({"facts": {"depth\n": 1}}, {"/facts/depth\n": "wrong_format"}),
        ({"facts": {"a/b~c": 1}}, {"/facts/a~1b~0c": "wrong_format"}),
        ({"owner": "me"}, {"/owner": "wrong_format"}),
        ({"since": "today"}, {"/since": "wrong_format"}),
        ({"weight": "1"}, {"/weight": "wrong_type"}),
        ({"Name": "x"}, {"/Name": "unknown_field"}),
    ],
    ids=str,
)
async def test_what_breaks_a_rule_is_422(client, changes, faults):
    answer = await send(client, json.dumps(RIGHT | changes).encode())
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
    assert faults_of(answer) == faults


async def test_no_depth_is_too_deep_to_be_refused(client):
    answers = [await send(client, b'{"x":' + b"[" * depth + b"]" * depth + b"}") for depth in range(800, 1000)]
    assert {answer.status_code for answer in answers} == {400, 422}


def test_what_python_can_not_walk_is_too_deep(monkeypatch):
    deep: list = []
    for _ in range(5000):
        deep = [deep]
    monkeypatch.setattr(binding, "_plain", lambda _: deep)
    assert str(refusal(b'"\\u0000"')) == "The JSON is nested too deeply"


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"text"', b"true"])
async def test_a_body_of_another_shape_is_one_fault_at_its_root(client, body):
    answer = await send(client, body)
    assert answer.status_code == 422
    assert faults_of(answer) == {"": "wrong_type"}


async def test_every_fault_is_named_at_once(client):
    wrong = {"size": {"width": -1, "unit": "MM", "depth": 1}, "kind": 1, "tags": "red", "owner": "a\0"}
    answer = await send(client, json.dumps(wrong).encode())
    assert answer.json()["detail"] == "7 fields are not valid"
    assert set(faults_of(answer)) == {
        *("/name", "/size/width", "/size/unit", "/size/depth", "/kind", "/tags", "/owner"),
    }


async def test_an_answer_names_a_hundred_faults_at_most(client):
    wrong = RIGHT | {f"field_{number}": 1 for number in range(1000)}
    answer = await send(client, json.dumps(wrong).encode())
    assert len(answer.json()["errors"]) == 100


async def test_of_a_list_that_is_too_long_no_item_is_named(client):
    answer = await send(client, json.dumps(RIGHT | {"tags": [1] * 100_000}).encode())
    assert faults_of(answer) == {"/tags": "too_long"}


async def test_the_form_of_a_text_is_told_in_words(client):
    answer = await send(client, json.dumps(RIGHT | {"size": {"width": 8, "unit": "MM"}}).encode())
    assert answer.json()["errors"][0]["detail"] == "must be lower-case letters"


@pytest.mark.parametrize("end", [b"\\n", b"\\u000a", b"\\u000A"])
async def test_a_pattern_ends_where_the_text_ends(client, end):
    answer = await send(client, b'{"name": "Mug", "size": {"width": 8, "unit": "mm' + end + b'"}}')
    assert faults_of(answer) == {"/size/unit": "wrong_format"}


async def test_a_text_without_a_pattern_may_end_in_a_line_feed(client):
    answer = await send(client, json.dumps(RIGHT | {"name": "Mug\n"}).encode())
    assert answer.json()["name"] == "Mug\n"


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
async def test_json_is_taken_however_its_type_is_spelt(client, content_type):
    assert (await send(client, json.dumps(RIGHT).encode(), content_type=content_type)).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text/plain", "text/json", "application/xml", "multipart/form-data; boundary=x"),
        *("application/x-www-form-urlencoded", "application/json; charset=latin-1", "application/problem+json"),
        "application/merge-patch+json",
    ],
)
async def test_another_type_is_415_and_says_what_is_taken(client, content_type):
    answer = await send(client, json.dumps(RIGHT).encode(), content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert answer.headers["accept-post"] == "application/json"


@pytest.mark.parametrize("content_type", ["application/json", "application/merge-patch+json"])
async def test_a_patch_is_a_merge_patch(client, content_type):
    answer = await send(client, b'{"name": "Cup"}', content_type=content_type, method="PATCH")
    assert answer.json() == {"name": "Cup"}


async def test_a_patch_of_another_type_says_what_is_taken(client):
    answer = await send(client, b"[]", content_type="application/json-patch+json", method="PATCH")
    assert answer.status_code == 415
    assert answer.headers["accept-patch"] == "application/merge-patch+json, application/json"


async def test_null_on_a_required_member_is_refused(client):
    answer = await send(client, b'{"name": null}', method="PATCH")
    assert faults_of(answer) == {"/name": "wrong_type"}


async def test_the_type_is_checked_before_the_body_is_read(client):
    assert (await send(client, b"{", content_type="text/plain")).status_code == 415


json_values = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**70), 2**70) | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
near_things = some.fixed_dictionaries(
    {"name": some.text(max_size=12) | json_values, "size": some.fixed_dictionaries({"width": json_values})},
    optional={
        "kind": some.sampled_from(["mug", "cup", "bowl"]) | json_values,
        "tags": some.lists(some.text(max_size=4), max_size=3) | json_values,
        "facts": some.dictionaries(some.from_regex(r"\A[a-z]{1,3}\n?\Z"), json_values, max_size=2),
        "owner": some.uuids().map(str) | json_values,
        "weight": json_values,
        "other": json_values,
    },
)


@given(near_things | json_values)
def test_no_body_is_refused_without_the_reason(value):
    body = json.dumps(value).encode("utf-8", "surrogatepass")
    refused = refusal(body)
    if isinstance(refused, Invalid):
        places = [fault.pointer for fault in refused.faults]
        assert places
        assert len(set(places)) == len(places)
    elif refused is not None:
        assert re.search("out of range|not valid JSON", str(refused)), body


def refusal(body: bytes) -> Malformed | Invalid | None:
    try:
        BodyDecoder(Thing).decode(body)
    except (Malformed, Invalid) as refused:
        return refused
    return None
