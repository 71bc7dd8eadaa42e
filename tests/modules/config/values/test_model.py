"""Configuration keys and values: what fits a declaration, and what a stored value counts for."""

import pytest

from midrise.foundation.errors import FaultCode, Invalid
from midrise.foundation.module import ConfigKey
from midrise.modules.config.values.model import (
    LARGEST_NUMBER,
    LONGEST_TEXT,
    ConfigKeyInvalid,
    StoredValue,
    as_declared,
    declared,
    entry_of,
)

OPEN = ConfigKey("shop.open", default=True, description="Whether the shop is open")
PAGES = ConfigKey("shop.pages", default=5, description="Pages", smallest=1, largest=10)
SHARE = ConfigKey("shop.share", default=0.5, description="A share", smallest=0, largest=1)
NAME = ConfigKey("shop.name", default="Shop", description="Its name", smallest=1, largest=8)
ANY_NUMBER = ConfigKey("shop.number", default=0, description="Any number")
ANY_TEXT = ConfigKey("shop.text", default="", description="Any text")


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        (OPEN, False, False),
        (PAGES, 10, 10),
        (PAGES, 10.0, 10),
        (SHARE, 1, 1.0),
        (SHARE, 0.25, 0.25),
        (NAME, "Corner", "Corner"),
        (NAME, "দোকান", "দোকান"),
        (ANY_NUMBER, -LARGEST_NUMBER, -LARGEST_NUMBER),
    ],
)
def test_a_value_that_fits_gets_the_type_of_its_key(key, value, kept):
    found = as_declared(value, key)
    assert (found, type(found)) == (kept, type(key.default))


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (OPEN, 1, FaultCode.WRONG_TYPE),
        (OPEN, "true", FaultCode.WRONG_TYPE),
        (PAGES, True, FaultCode.WRONG_TYPE),
        (PAGES, 2.5, FaultCode.WRONG_TYPE),
        (PAGES, "5", FaultCode.WRONG_TYPE),
        (PAGES, 0, FaultCode.TOO_SMALL),
        (PAGES, 11, FaultCode.TOO_LARGE),
        (SHARE, False, FaultCode.WRONG_TYPE),
        (SHARE, 1.01, FaultCode.TOO_LARGE),
        (NAME, 5, FaultCode.WRONG_TYPE),
        (NAME, "", FaultCode.TOO_SHORT),
        (NAME, "Nine sign", FaultCode.TOO_LONG),
        (ANY_NUMBER, LARGEST_NUMBER + 1, FaultCode.TOO_LARGE),
        (ANY_TEXT, "x" * (LONGEST_TEXT + 1), FaultCode.TOO_LONG),
    ],
)
def test_a_value_that_does_not_fit_is_named(key, value, code):
    with pytest.raises(Invalid) as refused:
        as_declared(value, key)
    assert [(fault.code, fault.pointer) for fault in refused.value.faults] == [(code, "/value")]


def test_a_stored_value_that_a_release_no_longer_allows_counts_as_not_set():
    entry = entry_of(PAGES, StoredValue("five", version=3))
    assert (entry.value, entry.updated_at, entry.tag) == (5, None, "3")


def test_keys_are_sorted_by_name():
    assert list(declared([SHARE, OPEN, NAME])) == ["shop.name", "shop.open", "shop.share"]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ([OPEN, OPEN], "declared twice"),
        ([ConfigKey("open", default=True, description="")], "must read like"),
        ([ConfigKey("shop.Open", default=True, description="")], "must read like"),
        ([ConfigKey("shop.pages", default=0, description="", smallest=1)], "breaks its own bounds"),
        ([ConfigKey("shop.pages", default=0, description="", largest=2**60)], "beyond"),
        ([ConfigKey("shop.text", default="", description="", largest=LONGEST_TEXT + 1)], "beyond"),
    ],
)
def test_a_key_that_can_not_be_keeps_the_service_from_starting(keys, reason):
    with pytest.raises(ConfigKeyInvalid, match=reason):
        declared(keys)
