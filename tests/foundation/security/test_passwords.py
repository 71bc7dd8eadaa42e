"""Passwords: none is cut, a stolen table says nothing, and a refusal tells nothing by its time."""

import secrets
import unicodedata
from types import SimpleNamespace

import bcrypt
import pytest
from structlog.testing import capture_logs

from midrise.foundation.security import passwords as passwords_module
from midrise.foundation.security.passwords import (
    BcryptPasswords,
    PasswordSettings,
    fitting_cost,
    is_too_long,
)
from midrise.foundation.security.secrets import MasterSecret

pytestmark = pytest.mark.anyio

MASTER = MasterSecret.generate()


def passwords_with(master: MasterSecret = MASTER, *, cost: int = 4) -> BcryptPasswords:
    return BcryptPasswords(PasswordSettings(cost=cost, workers=1), master)


@pytest.fixture
def passwords():
    passwords = passwords_with()
    yield passwords
    passwords.close()


async def test_the_right_password_matches_and_another_does_not(passwords):
    stored = await passwords.hash("correct horse battery staple")
    verdict = await passwords.verify("correct horse battery staple", stored)
    assert (verdict.matches, verdict.needs_rehash) == (True, False)
    assert not (await passwords.verify("correct horse battery stapler", stored)).matches


async def test_what_is_stored_names_its_format_and_its_pepper(passwords):
    stored = await passwords.hash("correct horse battery staple")
    assert stored.startswith(f"v1${MASTER.secret_id}$$2b$04$")
    assert stored != await passwords.hash("correct horse battery staple")


@pytest.mark.parametrize(
    ("password", "twin"),
    [
        ("x" * 72 + "a", "x" * 72 + "b"),
        ("x" * 72, "x" * 73),
        ("😀" * 64, "😀" * 63 + "😁"),
        ("x" * 127 + "a", "x" * 127 + "b"),
        ("before\0after one", "before\0after two"),
        ("\0" * 12, "\0" * 13),
        ("passphrase word ", "passphrase word"),
        ("PassphraseWord", "passphraseword"),
    ],
)
async def test_only_the_exact_one_passes(passwords, password, twin):
    stored = await passwords.hash(password)
    assert (await passwords.verify(password, stored)).matches
    assert not (await passwords.verify(twin, stored)).matches


async def test_every_keyboard_types_the_same_letters(passwords):
    password = "crème brûlée à la Zürich"
    stored = await passwords.hash(unicodedata.normalize("NFD", password))
    assert (await passwords.verify(unicodedata.normalize("NFC", password), stored)).matches


async def test_the_database_alone_does_not_let_anyone_try(passwords):
    stored = await passwords.hash("correct horse battery staple")
    assert not bcrypt.checkpw(b"correct horse battery staple", stored.split("$", 2)[2].encode())


async def test_a_raised_cost_asks_for_a_new_hash(passwords):
    stored = await passwords.hash("correct horse battery staple")
    dearer = passwords_with(cost=5)
    assert (await dearer.verify("correct horse battery staple", stored)).needs_rehash
    dearer.close()


async def test_a_new_master_secret_still_verifies_and_asks_for_a_new_hash(passwords):
    stored = await passwords.hash("correct horse battery staple")
    after = passwords_with(MasterSecret(secrets.token_bytes(32), previous=[MASTER]))
    verdict = await after.verify("correct horse battery staple", stored)
    assert (verdict.matches, verdict.needs_rehash) == (True, True)
    after.close()


async def test_a_hash_under_a_lost_secret_never_matches(passwords):
    stored = await passwords.hash("correct horse battery staple")
    stranger = passwords_with(MasterSecret.generate())
    assert not (await stranger.verify("correct horse battery staple", stored)).matches
    stranger.close()


async def test_nothing_never_matches(passwords):
    assert not (await passwords.verify_nothing("")).matches


async def test_a_huge_password_is_refused_and_not_composed(passwords):
    stored = await passwords.hash("correct horse battery staple")
    assert not (await passwords.verify("a" + "\u0323\u0307" * 500_000, stored)).matches
    assert not (await passwords.verify_nothing("a" + "\u0323\u0307" * 500_000)).matches


@pytest.mark.parametrize("stored_cost", [4, 6, 8])
async def test_a_refusal_does_the_same_work_whatever_the_stored_cost(monkeypatch, stored_cost):
    older, present = passwords_with(cost=stored_cost), passwords_with(cost=8)
    stored = await older.hash("correct horse battery staple")
    rounds = count_rounds(monkeypatch)
    await present.verify("wrong horse battery staple", stored)
    for_known = sum(rounds)
    rounds.clear()
    await present.verify_nothing("wrong horse battery staple")
    assert for_known == sum(rounds) == 2**8
    older.close()
    present.close()


def count_rounds(monkeypatch) -> list[int]:
    rounds: list[int] = []
    hashpw, checkpw = bcrypt.hashpw, bcrypt.checkpw

    def counting_hashpw(password: bytes, salt: bytes) -> bytes:
        rounds.append(2 ** int(salt.split(b"$")[2]))
        return hashpw(password, salt)

    def counting_checkpw(password: bytes, hashed: bytes) -> bool:
        rounds.append(2 ** int(hashed.split(b"$")[2]))
        return checkpw(password, hashed)

    monkeypatch.setattr(bcrypt, "hashpw", counting_hashpw)
    monkeypatch.setattr(bcrypt, "checkpw", counting_checkpw)
    return rounds


@pytest.mark.parametrize(
    ("password", "too_long"),
    [
        ("x" * 128, False),
        ("x" * 129, True),
        ("😀" * 128, False),
        ("e\u0301" * 128, False),
        ("e\u0301" * 129, True),
        ("\u03b1\u0313\u0300\u0345" * 128, False),
        ("a" + "\u0323" * 1_000_000, True),
    ],
    ids=["128", "129", "128 emoji", "128 composed", "129 composed", "four make one", "a million marks"],
)
def test_length_is_counted_in_characters_after_composition(password, too_long):
    assert is_too_long(password) is too_long


@pytest.mark.parametrize(
    ("cost", "milliseconds", "fitting"),
    [(12, 250, 12), (12, 62, 14), (12, 1000, 10), (4, 1, 12), (12, 0, 23), (4, 100_000, 4)],
)
def test_the_cost_that_fits_takes_a_quarter_of_a_second(cost, milliseconds, fitting):
    assert fitting_cost(cost, milliseconds) == fitting


@pytest.mark.parametrize(
    ("milliseconds", "event"),
    [
        (99, "password.cost_does_not_fit"),
        (100, "password.calibrated"),
        (500, "password.calibrated"),
        (501, "password.cost_does_not_fit"),
    ],
)
async def test_a_cost_that_does_not_fit_the_machine_is_warned_of(monkeypatch, milliseconds, event):
    moments = iter([0, milliseconds / 1000])
    monkeypatch.setattr(passwords_module, "time", SimpleNamespace(thread_time=lambda: next(moments)))
    with capture_logs() as lines:
        passwords = passwords_with()
        await passwords.calibrate()
        await passwords.verify_nothing("")  # waits behind it where there is one thread
        passwords.close()
    (line,) = lines
    assert (line["event"], line["cost"], line["milliseconds"]) == (event, 4, milliseconds)
