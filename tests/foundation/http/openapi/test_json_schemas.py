"""JSON Schemas: what the decoder takes, and what the encoder gives."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import msgspec
import pytest

from midrise.foundation.http.openapi.json_schemas import JsonSchemas, SchemaUnknown

Item = TypeVar("Item")


class Colour(StrEnum):
    """A colour."""

    BLUE = "blue"
    GREEN = "green"


class Price(msgspec.Struct, forbid_unknown_fields=True):
    """What it costs."""

    amount: Annotated[int, msgspec.Meta(ge=0, le=1000)]


class MugShown(msgspec.Struct):
    """A mug."""

    id: UUID
    price: Price
    colour: Colour | None
    note: str | None = None


class NewMug(msgspec.Struct, forbid_unknown_fields=True):
    """A mug to make."""

    price: Price
    size: Annotated[int, msgspec.Meta(ge=1, le=9)] = 3
    note: Annotated[str, msgspec.Meta(max_length=9)] | msgspec.UnsetType = msgspec.UNSET


class Spare(msgspec.Struct, omit_defaults=True):
    """Leaves out what is null."""

    note: str | None = None


class ListOf(msgspec.Struct, Generic[Item]):
    """A page."""

    items: Sequence[Item]


class Tree(msgspec.Struct):
    """Refers to itself."""

    branches: "list[Tree]"


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Annotated[int, msgspec.Meta(ge=0, lt=5)], {"type": "integer", "minimum": 0, "exclusiveMaximum": 5}),
        (float, {"type": "number"}),
        (Annotated[str, msgspec.Meta(pattern="^a$")], {"type": "string", "pattern": "^a$"}),
        (str | None, {"type": ["string", "null"]}),
        (datetime | None, {"type": ["string", "null"], "format": "date-time"}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {"type": "string", "const": "a"}),
        (Literal["a"] | None, {"anyOf": [{"type": "string", "const": "a"}, {"type": "null"}]}),
        (bool | int, {"anyOf": [{"type": "boolean"}, {"type": "integer"}]}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": True}),
        (
            dict[Annotated[str, msgspec.Meta(max_length=2)], bool],
            {
                "type": "object",
                "propertyNames": {"type": "string", "maxLength": 2},
                "additionalProperties": {"type": "boolean"},
            },
        ),
        (
            Annotated[list[int], msgspec.Meta(max_length=3, description="Some")],
            {"type": "array", "items": {"type": "integer"}, "maxItems": 3, "description": "Some"},
        ),
    ],
)
def test_a_type_says_its_bounds(annotation, schema):
    assert JsonSchemas().of_body(annotation) == schema


def test_an_answer_has_all_its_fields_and_may_get_more():
    schemas = JsonSchemas()
    assert schemas.of_answer(MugShown) == {"$ref": "#/components/schemas/Mug"}
    mug = schemas.components["Mug"]
    assert mug["required"] == ["id", "price", "colour", "note"]
    assert "additionalProperties" not in mug
    assert "additionalProperties" not in schemas.components["Price"]
    assert schemas.components["Colour"]["enum"] == ["blue", "green"]


def test_a_body_may_leave_out_what_has_a_default_and_has_nothing_more():
    schemas = JsonSchemas()
    schemas.of_body(NewMug)
    mug = schemas.components["NewMugInput"]
    assert (mug["required"], mug["additionalProperties"]) == (["price"], False)
    assert mug["properties"]["size"]["default"] == 3
    assert mug["properties"]["note"] == {"type": "string", "maxLength": 9}


def test_what_is_left_out_where_it_is_null_is_never_null():
    schemas = JsonSchemas()
    schemas.of_answer(Spare)
    assert schemas.components["Spare"]["properties"]["note"] == {"type": "string"}
    assert "required" not in schemas.components["Spare"]


def test_a_type_that_is_only_sent_has_its_plain_name():
    schemas = JsonSchemas()
    document = {"body": schemas.of_body(NewMug), "answer": schemas.of_answer(MugShown)}
    schemas.settle_names(document)
    assert document["body"] == {"$ref": "#/components/schemas/NewMug"}
    assert set(schemas.components) == {"Colour", "Mug", "NewMug", "Price", "PriceInput"}
    assert schemas.components["NewMug"]["properties"]["price"] == {"$ref": "#/components/schemas/PriceInput"}


def test_a_list_is_named_after_what_it_holds():
    assert JsonSchemas().of_answer(ListOf[MugShown]) == {"$ref": "#/components/schemas/MugList"}


def test_a_type_may_hold_itself():
    schemas = JsonSchemas()
    schemas.of_answer(Tree)
    assert schemas.components["Tree"]["properties"]["branches"]["items"] == {
        "$ref": "#/components/schemas/Tree"
    }


def test_two_types_of_one_name_are_refused():
    schemas = JsonSchemas()
    schemas.of_answer(MugShown)
    with pytest.raises(SchemaUnknown, match="would both be called Mug"):
        schemas.of_answer(msgspec.defstruct("Mug", []))


def test_a_type_without_a_schema_is_refused():
    with pytest.raises(SchemaUnknown):
        JsonSchemas().of_answer(bytes)
