"""Which passwords are refused, and with which reason."""

import pytest

from midrise.foundation.errors import FaultCode
from midrise.foundation.security.password_strength import Weakness, check_strength, find_weakness

EMAIL, NAME = "rahim.uddin@example.com", "Rahim Uddin Chowdhury"


def faults_of(password: str) -> list[FaultCode]:
    return [fault.code for fault in check_strength(password, email=EMAIL, name=NAME)]


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "kT9#vLq2!zWm",
        "rahim likes green apples",
        "my password is not in a list",
        "আমার সোনার বাংলা আমি",
        "😀🎈🐘🚲🌵🎻🧊🪁🍋🛶🧲🪐",
        "x7\0Kq9zL2w8Rt",
    ],
)
def test_a_good_password_has_no_fault(password):
    assert faults_of(password) == []


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", FaultCode.TOO_SHORT),
        ("kT9#vLq2!zW", FaultCode.TOO_SHORT),
        ("e\u0301" * 11, FaultCode.TOO_SHORT),
        ("kT9#vLq2" * 16 + "!", FaultCode.TOO_LONG),
        ("a" + "\u0323\u0307" * 500_000, FaultCode.TOO_LONG),
    ],
)
def test_length_has_its_own_faults(password, code):
    assert faults_of(password) == [code]


def test_a_length_of_128_is_fine():
    assert faults_of("kT9#vLq2!zWm3&Rs" * 2 + "".join(chr(0x4E00 + 97 * n) for n in range(96))) == []


@pytest.mark.parametrize(
    ("password", "weakness"),
    [
        ("password1234", Weakness.BREACHED),
        ("PassWord1234", Weakness.BREACHED),
        ("qwertyuiop123", Weakness.BREACHED),
        ("1q2w3e4r5t6y", Weakness.BREACHED),
        ("correcthorsebatterystaple", Weakness.BREACHED),
        ("zyxwvutsrqpo", Weakness.PATTERN),
        ("ffffffffffffff!", Weakness.PATTERN),
        ("wqwqwqwqwqwqwqw", Weakness.PATTERN),
        ("tuvtuvtuvtuvt", Weakness.PATTERN),
        ("Rahim.Uddin@example.com", Weakness.PERSONAL),
        ("rahim.uddin1990", Weakness.PERSONAL),
        ("R4h1m-Udd1n!!", Weakness.PERSONAL),
        ("CHOWDHURY 2026", Weakness.PERSONAL),
        ("Password2026!", Weakness.USUAL),
        ("W3lcome!Midr1se", Weakness.USUAL),
        ("পাসওয়ার্ড১২৩৪", Weakness.USUAL),
    ],
)
def test_a_weak_password_is_refused_with_its_reason(password, weakness):
    faults = check_strength(password, email=EMAIL, name=NAME, pointer="/new_password")
    assert [fault.code for fault in faults] == [FaultCode.PASSWORD_TOO_WEAK]
    assert faults[0].arguments == {"reason": weakness.value}
    assert faults[0].pointer == "/new_password"


def test_short_names_do_not_forbid_common_syllables():
    assert find_weakness("an ant on an anvil", email="an@on.io", name="An") is None


def test_the_reason_never_repeats_the_password():
    for fault in check_strength("rahim.uddin1990", email=EMAIL, name=NAME):
        assert "rahim" not in repr(fault).lower()
