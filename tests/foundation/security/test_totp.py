"""One-time passwords by the time, against the vectors of RFC 6238."""

import pytest

from midrise.foundation.security.totp import (
    find_step,
    generate_totp_secret,
    provisioning_uri,
    read_one_time_password,
)

SECRET = b"12345678901234567890"
VECTORS = [  # appendix B, the last six of its eight digits
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
]


@pytest.mark.parametrize(("timestamp", "password"), VECTORS)
def test_passwords_are_those_of_the_rfc(timestamp, password):
    assert find_step(SECRET, password, timestamp=timestamp) == timestamp // 30


@pytest.mark.parametrize(("off_seconds", "is_known"), [(-31, False), (-30, True), (30, True), (61, False)])
def test_a_clock_may_be_off_by_one_step(off_seconds, is_known):
    moment = 1111111110  # where a step begins
    step = find_step(SECRET, "050471", timestamp=moment + off_seconds)
    assert step == (moment // 30 if is_known else None)


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("287082", "287082"),
        (" 287 082\n", "287082"),
        ("০০৫৯২৪", "005924"),
        ("٠٠٥٩٢٤", "005924"),
        ("28708", None),
        ("2870821", None),
        ("28708a", None),
        ("²87082", None),
        ("-87082", None),
        ("+87082", None),
        ("2_8708", None),
        ("", None),
    ],
)
def test_six_digits_are_read_in_any_script_and_nothing_else(text, password):
    assert read_one_time_password(text) == password


def test_an_app_is_told_the_issuer_and_the_account():
    uri = provisioning_uri(SECRET, account="rahima@example.com", issuer="midrise")
    assert uri.startswith("otpauth://totp/midrise:rahima%40example.com?")
    assert "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" in uri


def test_no_two_secrets_are_the_same():
    assert len({generate_totp_secret() for _ in range(100)}) == 100
