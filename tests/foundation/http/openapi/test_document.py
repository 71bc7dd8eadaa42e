"""The document of a small application: each declaration of a handler is said in it."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from litestar import Litestar, Response, delete, get, patch, post
from litestar.params import PathParameter, QueryParameter, RequestBody

from midrise.foundation.errors import Conflict
from midrise.foundation.http.access import ANYONE, ANYONE_WHATEVER_THEY_SEND, KNOWN_CALLER, needs
from midrise.foundation.http.etags import IfMatch, IfNoneMatch
from midrise.foundation.http.listing import ListOf
from midrise.foundation.http.openapi import document_of
from midrise.foundation.http.openapi.document import CallsShareName
from midrise.foundation.http.parameters import Cursor, Limit

MugId = Annotated[UUID, PathParameter(description="The mug's id")]
Colour = Annotated[str | None, QueryParameter(name="colour", max_length=20, description="Of this colour")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=9, examples=["Mug"])]


class NameTaken(Conflict):
    """There is a mug of that name."""

    code = "name_taken"


class Mug(msgspec.Struct):
    """A mug."""

    id: UUID
    name: Name


class NewMug(msgspec.Struct, forbid_unknown_fields=True):
    """A mug to make."""

    name: Name


class MugChanges(msgspec.Struct, forbid_unknown_fields=True):
    """What to change."""

    name: Name | msgspec.UnsetType = msgspec.UNSET


@get("/v1/mugs", access=ANYONE, summary="List mugs", tags=["Mugs"])
async def list_mugs(limit: Limit = 20, cursor: Cursor = None, colour: Colour = None) -> Response[ListOf[Mug]]:
    """Every mug."""
    raise NotImplementedError


@post("/v1/mugs", access=needs("mugs:write"), errors=(NameTaken,))
async def create_mug(data: RequestBody[NewMug]) -> Response[Mug]:
    raise NotImplementedError


@get("/v1/mugs/{mug_id:uuid}", access=KNOWN_CALLER)
async def get_mug(mug_id: MugId, if_none_match: IfNoneMatch = None) -> Response[Mug]:
    raise NotImplementedError


@patch("/v1/mugs/{mug_id:uuid}", access=needs("mugs:write"))
async def change_mug(mug_id: MugId, data: RequestBody[MugChanges], if_match: IfMatch = None) -> Response[Mug]:
    raise NotImplementedError


@delete("/v1/mugs/{mug_id:uuid}", access=ANYONE_WHATEVER_THEY_SEND)
async def delete_mug(mug_id: MugId) -> None:
    raise NotImplementedError


@get("/livez", access=ANYONE, other_answers={503: Mug}, media_types=("text/html",))
async def show_liveness() -> Mug:
    raise NotImplementedError


@get("/hidden", access=ANYONE, include_in_schema=False)
async def hide() -> None:
    raise NotImplementedError


HANDLERS = [list_mugs, create_mug, get_mug, change_mug, delete_mug, show_liveness, hide]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return document_of(Litestar(HANDLERS, openapi_config=None))


@pytest.fixture(scope="module")
def mugs(document) -> dict[str, Any]:
    return document["paths"]["/v1/mugs"]


@pytest.fixture(scope="module")
def mug(document) -> dict[str, Any]:
    return document["paths"]["/v1/mugs/{mug_id}"]


def codes(document, operation, status: int) -> list[str]:
    name = operation["responses"][str(status)]["$ref"].rpartition("/")[2]
    schema = document["components"]["responses"][name]["content"]["application/problem+json"]["schema"]
    return schema["allOf"][1]["properties"]["code"]["enum"]


def test_versioned_calls_come_first_and_hidden_ones_not_at_all(document):
    assert list(document["paths"]) == ["/v1/mugs", "/v1/mugs/{mug_id}", "/livez"]


def test_an_operation_says_what_its_handler_says(mugs):
    operation = mugs["get"]
    assert (operation["operationId"], operation["summary"]) == ("list_mugs", "List mugs")
    assert (operation["description"], operation["tags"]) == ("Every mug.", ["Mugs"])


def test_parameters_have_their_bounds_and_defaults(mugs):
    limit, cursor, colour, _ = mugs["get"]["parameters"]
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert (cursor["in"], cursor["required"], cursor["schema"]) == (
        "query",
        False,
        {"type": "string", "maxLength": 1000},
    )
    assert (colour["name"], colour["description"]) == ("colour", "Of this colour")


def test_a_path_parameter_is_required_and_has_an_example(mug):
    parameter = mug["get"]["parameters"][0]
    assert (parameter["in"], parameter["required"]) == ("path", True)
    assert UUID(parameter["example"]).version == 7


def test_who_may_call_is_said(mugs, mug):
    assert mugs["get"]["security"] == [{}, {"accessToken": []}, {"apiKey": []}]
    assert mug["get"]["security"] == [{"accessToken": []}, {"apiKey": []}]
    assert mugs["post"]["security"] == [{"accessToken": ["mugs:write"]}, {"apiKey": ["mugs:write"]}]
    assert mug["delete"]["security"] == []
    assert "`mugs:write`" in mugs["post"]["description"]


def test_each_call_names_the_statuses_it_can_end_with(document, mugs, mug):
    found = {name: sorted(map(int, item["responses"])) for name, item in [*mugs.items(), *mug.items()]}
    assert sorted(map(int, mugs["get"]["responses"])) == [200, 400, 401, 414, 429, 431, 500, 503]
    assert sorted(map(int, mug["get"]["responses"])) == [200, 304, 400, 401, 404, 414, 429, 431, 500, 503]
    assert found["post"] == [201, 400, 401, 403, 409, 413, 415, 422, 429, 431, 500, 503]
    assert found["patch"] == [200, 400, 401, 403, 404, 412, 413, 414, 415, 422, 429, 431, 500, 503]
    assert found["delete"] == [204, 400, 404, 414, 429, 431, 500, 503]
    assert sorted(document["paths"]["/livez"]["get"]["responses"]) == ["200", "400", "500", "503"]


def test_each_problem_names_its_codes(document, mugs, mug):
    assert codes(document, mugs["get"], 400) == [
        "bad_request",
        "invalid_consistency_token",
        "invalid_cursor",
        "invalid_parameters",
        "unknown_parameter",
    ]
    assert codes(document, mugs["post"], 409) == ["idempotency_in_progress", "name_taken"]
    assert codes(document, mugs["get"], 503) == ["unavailable"]
    assert codes(document, mug["patch"], 503) == ["outcome_unknown", "unavailable"]


def test_what_is_read_by_its_tag_is_answered_with_it(mugs, mug):
    for operation, status in ((mug["get"], 200), (mug["get"], 304), (mug["patch"], 200), (mugs["post"], 201)):
        assert "ETag" in operation["responses"][str(status)]["headers"]
    assert "ETag" not in mug["delete"]["responses"]["204"]["headers"]
    assert "ETag" not in mugs["get"]["responses"]["200"]["headers"]
    assert "Location" in mugs["post"]["responses"]["201"]["headers"]
    assert "Link" in mugs["get"]["responses"]["200"]["headers"]


def test_a_patch_comes_as_a_merge_patch_or_as_json(mug):
    content = mug["patch"]["requestBody"]["content"]
    assert list(content) == ["application/merge-patch+json", "application/json"]


def test_examples_are_put_together_from_those_of_fields(mugs):
    assert mugs["post"]["requestBody"]["content"]["application/json"]["example"] == {"name": "Mug"}
    answer = mugs["get"]["responses"]["200"]["content"]["application/json"]["example"]
    assert (answer["items"][0]["name"], answer["next_cursor"]) == ("Mug", None)


def test_an_answer_may_have_other_statuses_and_media_types(document):
    responses = document["paths"]["/livez"]["get"]["responses"]
    assert list(responses["200"]["content"]) == ["application/json", "text/html"]
    assert "Retry-After" in responses["503"]["headers"]


def test_two_calls_of_one_name_are_refused():
    @get("/v1/cups", access=ANYONE, operation_id="list_mugs")
    async def list_cups() -> None:
        raise NotImplementedError

    with pytest.raises(CallsShareName, match="both named list_mugs"):
        document_of(Litestar([list_mugs, list_cups], openapi_config=None))
