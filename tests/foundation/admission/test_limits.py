"""What is limited and for whom."""

import re

import pytest

from midrise.foundation.admission.limits import LimitName, RateLimit, address_key, api_key_key, user_key
from midrise.foundation.ids import new_id


def test_names_keep_to_the_grammar():
    for name in LimitName:
        assert re.fullmatch(r"[a-z]+(\.[a-z]+)?", name.value)


def test_a_limit_is_read_as_requests_in_seconds():
    assert RateLimit.parse("600/60") == RateLimit(quota=600, window_seconds=60)
    assert RateLimit.parse("off") is None


@pytest.mark.parametrize(
    "text",
    ["", "600", "600/", "/60", "0/60", "600/0", "-1/60", "6e2/60", "600/60 ", "OFF", "999999999/1", "১/১"],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="rate limit"):
        RateLimit.parse(text)


@pytest.mark.parametrize(
    "limit", [RateLimit(600, 60), RateLimit(7, 60), RateLimit(1, 1), RateLimit(1_000_000, 1)]
)
def test_the_tolerance_is_the_window_and_never_less(limit):
    window_us = limit.window_seconds * 1_000_000
    assert window_us <= limit.tolerance_us < window_us + limit.quota


def test_a_share_allows_at_least_one_request():
    assert RateLimit(600, 60).share(4) == RateLimit(150, 60)
    assert RateLimit(2, 60).share(4) == RateLimit(1, 60)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "ip:203.0.113.7"),
        ("::ffff:203.0.113.7", "ip:203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "ip:2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "ip:2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::1", "ip:2001:db8:1:2::/64"),
        ("fe80::1%eth0", "ip:fe80::/64"),
        ("", "ip:unknown"),
        ("unix:", "ip:unknown"),
        ("203.0.113.7, 198.51.100.1", "ip:unknown"),
        ("203.000.113.007", "ip:unknown"),
    ],
)
def test_addresses_count_by_who_can_have_them(address, key):
    assert address_key(address) == key


def test_kinds_of_callers_never_share_a_key():
    same = new_id()
    assert len({user_key(same), api_key_key(same), address_key(str(same))}) == 3
