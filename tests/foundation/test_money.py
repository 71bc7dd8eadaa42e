"""Money is whole minor units of a currency that there is."""

import msgspec
import pytest

from midrise.foundation.http.openapi.json_schemas import JsonSchemas
from midrise.foundation.money import CURRENCIES, LARGEST_AMOUNT, Currency, Money, is_currency


@pytest.mark.parametrize("amount", [0, 1, LARGEST_AMOUNT])
def test_an_amount_is_what_the_database_holds(amount):
    assert msgspec.convert({"amount": amount, "currency": "BDT"}, Money) == Money(amount, "BDT")


@pytest.mark.parametrize("amount", [-1, LARGEST_AMOUNT + 1, 1.5, "1", None, True])
def test_another_amount_is_refused(amount):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"amount": amount, "currency": "BDT"}, Money)


@pytest.mark.parametrize("code", ["BDT", "USD", "EUR", "JPY", "XAU"])
def test_a_currency_is_one_of_iso_4217(code):
    assert is_currency(code)


@pytest.mark.parametrize("code", ["", "bdt", "ZZZ", "BDT\n", "DEM", "BTC"])
def test_any_other_code_is_no_currency(code):
    assert not is_currency(code)


def test_every_currency_has_the_form_of_one():
    assert {msgspec.convert(code, Currency) for code in CURRENCIES} == CURRENCIES


def test_clients_are_told_every_currency():
    schema = JsonSchemas().of_body(Currency)
    assert schema["enum"] == sorted(CURRENCIES)
    assert set(schema["examples"]) <= CURRENCIES
