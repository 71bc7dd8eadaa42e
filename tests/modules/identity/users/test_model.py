"""Rules of users that need no database."""

import pytest
from tests.conftest import PASSWORD

from midrise.modules.identity.users.model import (
    Credentials,
    NewUser,
    email_key,
    is_email,
    registration_faults,
)

QUADRATIC = "\u0315\u0300" * 100_000
"""Would take minutes to normalize."""


@pytest.mark.parametrize("email", ["a@b", "Rahima.Khatun+shop@example.com", "রহিমা@উদাহরণ.বাংলা", "o'neil@x.ie"])
def test_what_looks_like_an_address_is_one(email):
    assert is_email(email)


@pytest.mark.parametrize(
    "email",
    [
        *("", "@", "a@", "@b", "a", "a@b@c", "a b@c", " a@b", "a@b\n", "a@b\r\nBcc: c@d", "a\x00@b", "a\x7f@b"),
        "a\u2028@b",
        "a@" + "b" * 190,
        "a" * 65 + "@b",
    ],
)
def test_what_does_not_is_none(email):
    assert not is_email(email)


@pytest.mark.parametrize(
    "email", ["a\uff20b@c", "a@b\u00a8c", "\ufdfa@example.com", "a" * 63 + "\u2473@b", "a@" + "\ufb03" * 100]
)
def test_an_address_that_is_none_once_it_is_compared_is_none(email):
    assert not is_email(email)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Rahima@Example.COM", "rahima@example.com"),
        ("straße@example.com", "STRASSE@example.com"),
        ("ra\uff48ima@example.com", "rahima@example.com"),
        ("re\u0301mi@example.com", "RÉMI@example.com"),
        ("ŉ@example.com", "\u02bcn@example.com"),
    ],
)
def test_addresses_are_compared_without_case_and_form(one, other):
    assert email_key(one) == email_key(other)


def test_every_fault_of_a_registration_is_found_at_once():
    faults = registration_faults("nobody", "short", name="Rahima")
    assert [(fault.pointer, fault.code) for fault in faults] == [
        ("/email", "wrong_format"),
        ("/password", "too_short"),
    ]


def test_a_password_made_of_the_name_or_the_address_is_refused():
    assert registration_faults("a@b", "rahimakhatun1", name="Rahima Khatun")
    assert registration_faults("rahima.khatun@b", "rahimakhatun1", name="R")


def test_enormous_texts_are_not_looked_into():
    faults = registration_faults(f"{QUADRATIC}@b", PASSWORD, name=QUADRATIC)
    assert [fault.pointer for fault in faults] == ["/email"]


def test_a_password_is_not_shown_by_accident():
    shown = f"{NewUser('a@b', name='R', password=PASSWORD)} {Credentials(None, 'the hash', is_active=True)}"
    assert PASSWORD not in shown
    assert "the hash" not in shown
