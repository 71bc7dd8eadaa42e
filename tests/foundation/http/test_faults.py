"""What msgspec says of a value becomes faults: each with a code, a place and words for people."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from msgspec import Meta

from midrise.foundation.errors import Fault, FaultCode
from midrise.foundation.http.faults import body_faults, fault_of, nul_faults, text_fault
from midrise.foundation.localization import Language, fault_text


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1)]

    @staticmethod
    def further_faults(value: Mapping[str, Any]) -> Iterable[Fault]:
        if value.get("name") == "nothing":
            yield Fault(FaultCode.UNKNOWN_REFERENCE, pointer="/name", arguments={"value": "nothing"})


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    parts: list[Part]
    spare: Part | None = None
    shown_as: str = msgspec.field(name="shownAs", default="")


def said(value: Any, annotation: Any) -> list[str]:
    """Each fault as its place and its sentence."""
    return [
        f"{fault.pointer} {fault_text(fault, Language.ENGLISH)}" for fault in body_faults(value, annotation)
    ]


@pytest.mark.parametrize(
    ("value", "annotation", "sentence"),
    [
        (1, str, "must be text, not a whole number"),
        ("1", int, "must be a whole number, not text"),
        (1.5, int, "must be a whole number, not a number"),
        ("x", bool, "must be true or false, not text"),
        (None, list[int], "must be a list, not null"),
        ([], dict[str, int], "must be an object, not a list"),
        ([], int | None, "must be a whole number or null, not a list"),
        ("me", UUID, "must be a UUID"),
        ("now", datetime, "must be a time of RFC 3339 such as 2026-11-23T04:05:06Z"),
        ("green", Colour, "must be one of: red, blue"),
        ("green", Colour | None, "must be one of: red, blue"),
        ("xl", Literal["s", "m"], "must be one of: s, m"),
        (-1, Annotated[int, Meta(ge=0)], "must be 0 or more"),
        (0.5, Annotated[float, Meta(le=0.25)], "must be 0.25 or less"),
        ("A", Annotated[str, Meta(pattern="^[a-z]$")], "must be in the form that the documentation gives"),
        ("A", Annotated[str, Meta(pattern="^[a-z]$", extra={"expected": "a letter"})], "must be a letter"),
        ("a\n", Annotated[str, Meta(pattern="^[a-z]$", extra={"expected": "a letter"})], "must be a letter"),
        (
            "a\n",
            Annotated[str, Meta(pattern="^[a-z]$")] | None,
            "must be in the form that the documentation gives",
        ),
    ],
)
def test_a_fault_is_told_in_words(value, annotation, sentence):
    assert said(value, annotation) == [f" {sentence}"]


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ("a\n", Annotated[str, Meta(pattern=r"^a\n$")]),
        ("a\n", Annotated[str, Meta(pattern="^a")]),
        ("a\n\n", Annotated[str, Meta(pattern=r"^a\s+$")]),
        ("a$\n", Annotated[str, Meta(pattern=r"\$")]),
        (1, int | None),
        (None, int | None),
        ({}, dict[str, int]),
    ],
)
def test_what_is_right_has_no_fault(value, annotation):
    assert said(value, annotation) == []


def test_every_fault_has_its_place_under_the_name_that_clients_use():
    value = {
        "parts": [{"name": "a"}, {"name": ""}, {}, 7],
        "spare": {"name": 1, "x/y~z": 2},
        "shownAs": 3,
        "shown_as": 4,
    }
    assert [(fault.pointer, fault.code) for fault in body_faults(value, Whole)] == [
        ("/parts/1/name", FaultCode.TOO_SHORT),
        ("/parts/2/name", FaultCode.MISSING),
        ("/parts/3", FaultCode.WRONG_TYPE),
        ("/spare/name", FaultCode.WRONG_TYPE),
        ("/spare/x~1y~0z", FaultCode.UNKNOWN_FIELD),
        ("/shownAs", FaultCode.WRONG_TYPE),
        ("/shown_as", FaultCode.UNKNOWN_FIELD),
    ]


def test_a_class_may_name_more_under_its_own_place():
    value = {"parts": [{"name": "nothing"}]}
    assert said(value, Whole) == ["/parts/0/name names what does not exist: nothing"]


def test_nul_is_found_in_keys_and_values_however_deep():
    value = {"a": ["x", {"b\0": "y\0"}], "c": "ok"}
    assert [fault.pointer for fault in nul_faults(value)] == ["/a/1/b\0", "/a/1/b\0"]


def test_the_text_of_a_parameter_is_read_leniently_and_checked_as_well():
    assert text_fault("7", int) is None
    assert text_fault("seven", int) == (FaultCode.WRONG_TYPE, {"expected": "a whole number", "got": "text"})
    code, _ = text_fault("A\n", Annotated[str, Meta(pattern="^[A-Z]$")])
    assert code is FaultCode.WRONG_FORMAT


def test_what_nobody_has_words_for_is_just_not_valid():
    assert fault_of("Something new") == (FaultCode.WRONG_FORMAT, {"expected": "valid"})
