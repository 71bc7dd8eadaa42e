"""What may be said of a product, and what a change makes of it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from msgspec.structs import replace

from midrise.foundation.errors import FaultCode, Invalid
from midrise.foundation.money import Money
from midrise.modules.catalog.products.model import (
    LONGEST_NAME,
    MOST_ATTRIBUTES,
    NewProduct,
    Product,
    ProductChanges,
    ProductSort,
    ProductStatus,
    Stock,
    facts_changed,
    name_sort_of,
)

NOW = datetime(2026, 11, 23, 4, 5, 6, 789, UTC)
MUG = Product(
    id=UUID("0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21"),
    sku="MUG-1",
    name="Blue mug",
    name_sort="blue mug",
    slug="blue-mug",
    description="",
    status=ProductStatus.DRAFT,
    price=Money(1999, "BDT"),
    attributes={"colour": "blue", "ml": 350},
    stock=Stock(on_hand=10, reserved=2),
    version=3,
    stock_version=7,
    created_at=NOW,
    updated_at=NOW,
)


def test_the_tag_holds_both_versions():
    assert MUG.tag == "3.7"


def test_what_is_reserved_is_not_available():
    assert MUG.stock.available == 8


def test_what_a_change_leaves_out_stays():
    assert MUG.with_changes(ProductChanges()) == MUG


def test_a_new_amount_keeps_the_currency():
    assert MUG.with_changes(ProductChanges(price_amount=0)).price == Money(0, "BDT")


def test_a_new_currency_keeps_the_amount():
    assert MUG.with_changes(ProductChanges(price_currency="USD")).price == Money(1999, "USD")


def test_a_new_name_is_sorted_anew_under_the_old_slug():
    renamed = MUG.with_changes(ProductChanges(name="Green MUG"))
    assert (renamed.name_sort, renamed.slug) == ("green mug", "blue-mug")


def test_a_description_can_be_emptied():
    described = replace(MUG, description="Stoneware")
    assert described.with_changes(ProductChanges(description="")).description == ""


def test_attributes_are_merged_and_null_removes_one():
    changes = ProductChanges(attributes={"colour": None, "ml": 400, "safe": False, "absent": None})
    assert MUG.with_changes(changes).attributes == {"ml": 400, "safe": False}


def test_a_merge_does_not_exceed_the_most_attributes():
    many = {f"a{number}": number for number in range(MOST_ATTRIBUTES - 1)}
    with pytest.raises(Invalid) as refused:
        MUG.with_changes(ProductChanges(attributes=many))
    (fault,) = refused.value.faults
    assert (fault.code, fault.pointer) == (FaultCode.TOO_LONG, "/attributes")


@pytest.mark.parametrize(
    "checked",
    [
        NewProduct(sku="A", name="A", price=Money(1, "ZZZ"), slug="A b"),
        ProductChanges(price_currency="ZZZ", slug="A b"),
    ],
)
def test_every_broken_rule_is_named(checked):
    with pytest.raises(Invalid) as refused:
        checked.check()
    assert [(fault.code, fault.pointer) for fault in refused.value.faults] == [
        (FaultCode.WRONG_FORMAT, "/slug"),
        (FaultCode.UNKNOWN_CURRENCY, "/price/currency"),
    ]


def test_changed_facts_are_told_with_both_values():
    changes = ProductChanges(price_amount=5, attributes={"colour": None, "safe": True})
    assert facts_changed(MUG, MUG.with_changes(changes)) == {
        "price": {"from": {"amount": 1999, "currency": "BDT"}, "to": {"amount": 5, "currency": "BDT"}},
        "attributes.colour": {"from": "blue", "to": None},
        "attributes.safe": {"from": None, "to": True},
    }


@pytest.mark.parametrize(("old", "new"), [(True, 1), (0, False), (1, 1.0), ("1", 1)])
def test_values_that_are_equal_to_python_alone_are_changes(old, new):
    before = replace(MUG, attributes={"value": old})
    after = before.with_changes(ProductChanges(attributes={"value": new}))
    assert facts_changed(before, after) == {"attributes.value": {"from": old, "to": new}}


def test_the_same_again_changes_nothing():
    same = ProductChanges(name=MUG.name, price_amount=1999, attributes={"ml": 350, "absent": None})
    assert facts_changed(MUG, MUG.with_changes(same)) == {}


def test_a_name_that_grows_when_it_is_folded_still_fits_an_index():
    assert len(name_sort_of("\ufdfa" * LONGEST_NAME)) == LONGEST_NAME


def test_a_minus_turns_an_order_round():
    assert [(sort.field, sort.descending) for sort in ProductSort] == [
        ("name", False),
        ("name", True),
        ("price", False),
        ("price", True),
        ("created_at", False),
        ("created_at", True),
    ]


@pytest.mark.parametrize("sort", ProductSort)
def test_keys_are_of_the_types_that_a_cursor_is_read_with(sort):
    types = sort.key_types.__args__
    assert tuple(map(type, MUG.keys(sort))) == types
