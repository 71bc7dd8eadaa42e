"""No password is cut (P1), and log-ins never block others (P2)."""

import asyncio
import unicodedata
from collections import Counter

import pytest
from tests.conftest import register
from tests.modules.identity.conftest import log_in, registration

from midrise.foundation.security.passwords import BcryptPasswords

pytestmark = pytest.mark.anyio

EMOJI = "".join(chr(0x1F600 + 7 * number % 64) for number in range(64))
FLAG = "\U0001f1e7\U0001f1e9"
LONG = "".join(chr(0x4E00 + 7 * number % 5000) for number in range(128))
DIRECTOR = "Ångström à la crème brûlée"


@pytest.fixture
def hashed(monkeypatch):
    """What was hashed: the passwords that came so far."""
    hashed = []
    real = BcryptPasswords.hash

    async def recorded(passwords, password):
        hashed.append(password)
        return await real(passwords, password)

    monkeypatch.setattr(BcryptPasswords, "hash", recorded)
    return hashed


async def registered(client, password):
    body = registration(password=password)
    answer = await client.post("/v1/auth/register", json=body)
    return answer, body["email"]


@pytest.mark.parametrize(
    ("password", "twin"),
    [
        pytest.param(LONG[:72] + "a", LONG[:72] + "b", id="72 characters the same"),
        pytest.param(("blue boat " * 8)[:72] + "a", ("blue boat " * 8)[:72] + "b", id="72 bytes the same"),
        pytest.param(EMOJI, EMOJI[:-1] + "🤖", id="64 emoji"),
        pytest.param(FLAG * 8 + EMOJI[:16], FLAG * 8 + EMOJI[:15] + "🤖", id="flags"),
        pytest.param(LONG, LONG[:-1] + "x", id="128 characters"),
        pytest.param(LONG, LONG + "x", id="128 and 129 characters"),
        pytest.param("three boats at dawn ", "three boats at dawn", id="a space behind"),
        pytest.param("Three boats at Dawn", "three boats at dawn", id="capitals"),
    ],
)
async def test_only_the_exact_one_passes(client, password, twin):
    answer, email = await registered(client, password)
    assert answer.status_code == 201, answer.text
    assert (await log_in(client, email, twin)).status_code == 401
    assert (await log_in(client, email, password)).status_code == 200


@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_every_keyboard_types_the_same(client, form):
    answer, email = await registered(client, unicodedata.normalize(form, DIRECTOR))
    assert answer.status_code == 201
    for typed in ("NFC", "NFD"):
        assert (await log_in(client, email, unicodedata.normalize(typed, DIRECTOR))).status_code == 200
    assert (await log_in(client, email, "Angstrom a la creme brulee")).status_code == 401


async def test_what_is_too_long_is_refused_before_it_is_hashed(client, hashed):
    answer, _ = await registered(client, LONG + "x")
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/password", "too_long")
    assert hashed == []
    composed = "".join("e\u0301" for _ in range(64)) + LONG[:64]
    assert len(composed) == 192
    answer, email = await registered(client, composed)
    assert answer.status_code == 201, "128 characters are counted after NFC"
    assert (await log_in(client, email, unicodedata.normalize("NFC", composed))).status_code == 200


async def test_a_hundred_log_ins_at_once_let_other_calls_pass(start_application):
    client = await start_application(password={"cost": 8})
    emails = [await register(client) for _ in range(10)]
    log_ins = [asyncio.create_task(log_in(client, email)) for email in emails * 10]
    done_in_between = 0
    while not all(call.done() for call in log_ins):
        assert (await client.get("/v1/products")).status_code == 200
        done_in_between += 1
    statuses = Counter(call.result().status_code for call in log_ins)
    assert set(statuses) <= {200, 429, 503}
    assert statuses[200] > 0
    assert statuses[429] + statuses[503] > 0
    assert done_in_between > 10
