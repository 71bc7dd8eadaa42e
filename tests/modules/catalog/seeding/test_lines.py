"""A file of products is read line by line, and a bad line is named with everything that is wrong with it."""

import json
from io import BytesIO

import pytest

from midrise.foundation.money import Money
from midrise.modules.catalog.products.model import ProductStatus
from midrise.modules.catalog.seeding.lines import LONGEST_LINE_BYTES, read_products
from midrise.modules.catalog.seeding.model import LineInvalid


def line(**fields) -> bytes:
    """A line that is right, but for the fields given; None leaves one out."""
    product = {"sku": "TEA-1", "name": "Tea", "price": {"amount": 1999, "currency": "BDT"}, **fields}
    return json.dumps({name: value for name, value in product.items() if value is not None}).encode() + b"\n"


def read(*lines: bytes):
    return list(read_products(BytesIO(b"".join(lines))))


def test_a_line_is_the_body_of_a_creation_with_its_stock():
    whole = line(slug="tea", description="Green", status="active", attributes={"grams": 100}, stock_on_hand=7)

    (seed,) = read(whole)

    assert (seed.line, seed.stock_on_hand) == (1, 7)
    assert seed.product.price == Money(1999, "BDT")
    assert seed.product.status is ProductStatus.ACTIVE
    assert seed.product.attributes == {"grams": 100}


def test_what_is_left_out_has_the_default_of_a_creation():
    (seed,) = read(line())

    assert seed.product.status is ProductStatus.DRAFT
    assert seed.product.slug is None
    assert seed.stock_on_hand == 0


def test_empty_lines_are_passed_over_and_counted():
    assert [seed.line for seed in read(b"\n", line(), b"  \r\n", line())] == [2, 4]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_the_last_line_may_end_as_it_likes(end):
    assert len(read(line().rstrip() + end)) == 1


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert len(read(b"\xef\xbb\xbf", line())) == 1


def test_an_empty_file_holds_no_products():
    assert read() == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (b"not json\n", "Line 2: it is not valid JSON."),
        (b"\xff\xfe\n", "Line 2: it is not valid JSON."),
        (b"[" * 100_000, "Line 2: it is not valid JSON."),
        (b'{"name": "\\ud800"}\n', "Line 2: it is not valid JSON."),
        (line(sku=None), "Line 2: sku is required."),
        (line(colour="red"), "Line 2: colour is not a field of this body."),
        (line(stock_on_hand=-1), "Line 2: stock_on_hand must be 0 or more."),
        (line(stock_on_hand=2**63), "Line 2: stock_on_hand must be 9223372036854775807 or less."),
        (
            line(price={"amount": 1, "currency": "ABC"}),
            "Line 2: price/currency is not a currency code of ISO 4217.",
        ),
        (
            line(sku=None, price={"amount": -1, "currency": "BDT"}),
            "Line 2: sku is required; price/amount must be 0 or more.",
        ),
        (line(description="a\0b"), "Line 2: description must not hold the NUL character."),
        (b" " * (LONGEST_LINE_BYTES + 1), "Line 2: it is longer than 1,048,576 bytes."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_line_is_named_with_what_is_wrong(wrong, sentence):
    with pytest.raises(LineInvalid) as refused:
        read(line(), wrong)

    assert str(refused.value) == sentence


def test_a_line_that_is_no_object_is_refused():
    with pytest.raises(LineInvalid, match=r"^Line 2: it must be .*\.$"):
        read(line(), b"[1]\n")


def test_lines_before_a_bad_one_have_been_given_out():
    products = read_products(BytesIO(line() + b"bad\n"))

    assert next(products).line == 1
    with pytest.raises(LineInvalid):
        next(products)
