"""`POST /v1/auth/login`: who gets in, and what the others learn."""

import asyncio
from contextvars import ContextVar
from types import SimpleNamespace

import bcrypt
import pytest
from tests.conftest import PASSWORD, register
from tests.modules.identity.conftest import bearer, log_in, registration

from midrise.foundation import clock
from midrise.foundation.database import Statement
from midrise.foundation.security import passwords

pytestmark = pytest.mark.anyio

LOGIN = "/v1/auth/login"


@pytest.fixture
async def rahima(client):
    return await register(client, email="rahima@midrise.test")


@pytest.fixture
async def disabled(client, connection):
    email = await register(client)
    await connection.execute("UPDATE users SET is_active = false WHERE email = $1", email)
    return email


@pytest.fixture
def work(monkeypatch):
    """The rounds of bcrypt that were done, each time that somebody was checked."""
    rounds = []

    def hash_password(password, salt):
        rounds.append(2 ** int(salt.split(b"$")[2]))
        return bcrypt.hashpw(password, salt)

    def check_password(password, hashed):
        rounds.append(2 ** int(hashed.split(b"$")[2]))
        return bcrypt.checkpw(password, hashed)

    recorded = SimpleNamespace(hashpw=hash_password, checkpw=check_password, gensalt=bcrypt.gensalt)
    monkeypatch.setattr(passwords, "bcrypt", recorded)
    return rounds


def take_hash_of(email):
    """A statement that gives everybody the password of one."""
    return f"UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE email = '{email}')"


async def test_the_right_password_gives_tokens(client, rahima):
    answer = await log_in(client, rahima)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    me = await client.get("/v1/me", headers=bearer(tokens.pop("access_token")))
    assert me.json()["email"] == rahima
    assert tokens.pop("refresh_token")
    assert tokens == {"token_type": "Bearer", "expires_in": 600, "refresh_expires_in": 30 * 24 * 3600}


@pytest.mark.parametrize("form", ["RAHIMA@Midrise.Test", "ra\uff48ima@midrise.test", " rahima@midrise.test"])
async def test_the_address_is_known_in_whatever_form(client, rahima, form):
    assert (await log_in(client, form)).status_code == 200


async def test_the_password_is_known_in_either_form_of_unicode(client):
    body = registration(password="café under the blue roof")
    await client.post("/v1/auth/register", json=body)
    assert (await log_in(client, body["email"], "cafe\u0301 under the blue roof")).status_code == 200
    assert (await log_in(client, body["email"], "cafe under the blue roof")).status_code == 401


async def test_every_refusal_says_the_same(client, rahima, disabled):
    attempts = [
        (rahima, PASSWORD + " "),
        (rahima, ""),
        (rahima, "x" * 1024),
        (disabled, PASSWORD),
        (disabled, "wrong password"),
        ("nobody@midrise.test", PASSWORD),
        ("nobody", PASSWORD),
        ("", ""),
        ("\ufdfa" * 1000, PASSWORD),
    ]
    answers = [await log_in(client, *attempt, headers={"X-Request-ID": "same"}) for attempt in attempts]
    assert {answer.status_code for answer in answers} == {401}
    assert answers[0].json()["code"] == "invalid_credentials"
    assert len({answer.text for answer in answers}) == 1
    assert len({tuple(answer.headers.items()) for answer in answers}) == 1


async def test_every_refusal_costs_the_same_work(client, rahima, disabled, work):
    for email, password in (
        (rahima, "wrong password"),
        (rahima, ""),
        (rahima, "x" * 1024),
        (disabled, PASSWORD),
        (disabled, "wrong password"),
        ("nobody@midrise.test", PASSWORD),
        ("", ""),
    ):
        work.clear()
        await log_in(client, email, password)
        assert sum(work) == 2**4, (email, password)


async def test_every_refusal_asks_the_database_as_often(client, rahima, disabled, monkeypatch):
    statements = []
    arguments = Statement.arguments
    # What the application asks by itself, in tasks of its own, is none of the call's.
    ours = ContextVar("ours", default=False)
    ours.set(True)

    def noted(statement, values):
        if ours.get():
            statements.append(statement.sql)
        return arguments(statement, values)

    monkeypatch.setattr(Statement, "arguments", noted)
    asked = {}
    for email, password in ((rahima, "wrong"), (rahima, ""), (disabled, PASSWORD), ("nobody@midrise.test", "")):
        statements.clear()
        assert (await log_in(client, email, password)).status_code == 401
        asked[email, password] = tuple(statements)
    assert len(set(asked.values())) == 1
    assert asked.popitem()[1]


async def test_a_hash_of_before_the_cost_was_raised_costs_the_present_one(start_application, rahima, work):
    dearer = await start_application(password={"cost": 6})
    async with asyncio.timeout(10):
        while 2**6 not in work:  # noqa: ASYNC110  what is measured at the start is done in a thread
            await asyncio.sleep(0.001)
    for email in (rahima, "nobody@midrise.test"):
        work.clear()
        await log_in(dearer, email, "wrong password")
        assert sum(work) == 2**6


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ({}, [("/email", "missing"), ("/password", "missing")]),
        ({"email": None, "password": 1}, [("/email", "wrong_type"), ("/password", "wrong_type")]),
        ({"email": "x" * 1001, "password": "x" * 1025}, [("/email", "too_long"), ("/password", "too_long")]),
        ({"email": "a", "password": "b\0"}, [("/password", "nul_character")]),
        ({"email": "a", "password": "b", "otp": "1" * 65}, [("/otp", "too_long")]),
        ({"email": "a", "password": "b", "pin": "1"}, [("/pin", "unknown_field")]),
    ],
)
async def test_every_fault_is_named_at_once(client, body, faults):
    answer = await client.post(LOGIN, json=body)
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == faults


async def test_a_disabled_user_is_out_at_once_and_in_again_when_enabled(
    somebody, other_instance, connection, flush_cache
):
    person = await somebody()
    await connection.execute("UPDATE users SET is_active = false")
    await flush_cache()
    for instance in (person.client, other_instance):
        assert (await instance.get("/v1/me", headers=person.headers)).status_code == 401
    await connection.execute("UPDATE users SET is_active = true")
    await flush_cache()
    assert (await person.client.get("/v1/me")).status_code == 200


async def test_an_expired_token_does_not_keep_anybody_from_logging_in(client, somebody, monkeypatch):
    person = await somebody()
    later = clock.timestamp() + 1000
    monkeypatch.setattr(clock, "timestamp", lambda: later)
    assert (await person.client.get("/v1/me")).status_code == 401
    answer = await log_in(person.client, person.email)
    assert answer.status_code == 200
    assert (await client.get("/v1/me", headers=bearer(answer.json()["access_token"]))).status_code == 200


@pytest.mark.parametrize("credential", ["Bearer nonsense", "Basic YTpi", "Bearer", "Bearer a.b.c"])
async def test_nor_does_a_wrong_one(client, rahima, credential):
    headers = {"Authorization": credential}
    assert (await client.get("/v1/me", headers=headers)).status_code == 401
    assert (await log_in(client, rahima, headers=headers)).status_code == 200


async def test_a_password_that_changes_while_it_is_verified_lets_nobody_in(client, rahima, first, connection):
    await client.post("/v1/auth/register", json=registration(email="other@b", password="a blue house at noon"))
    async with first(take_hash_of("other@b")) as waiting:
        call = await waiting(log_in(client, rahima))
    assert (await call).status_code == 401
    assert await connection.fetchval("SELECT count(*) FROM sessions") == 0


async def test_an_account_that_is_disabled_while_it_is_verified_lets_nobody_in(
    client, rahima, first, connection
):
    async with first("UPDATE users SET is_active = false") as waiting:
        call = await waiting(log_in(client, rahima))
    assert (await call).status_code == 401
    assert await connection.fetchval("SELECT count(*) FROM sessions") == 0


async def test_another_hash_of_the_same_password_keeps_nobody_out(client, rahima, first):
    async with first(take_hash_of(await register(client))) as waiting:
        call = await waiting(log_in(client, rahima))
    assert (await call).status_code == 200


async def test_a_log_in_hashes_anew_what_was_hashed_at_another_cost(
    client, rahima, start_application, connection
):
    dearer = await start_application(password={"cost": 5})
    before = await connection.fetchrow("SELECT version, updated_at FROM users")
    answers = await asyncio.gather(*(log_in(dearer, rahima) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    after = await connection.fetchrow("SELECT version, updated_at, password_hash FROM users")
    assert "$2b$05$" in after["password_hash"]
    assert (after["version"], after["updated_at"]) == (before["version"], before["updated_at"])
    assert (await log_in(dearer, rahima)).status_code == 200
    assert (await log_in(client, rahima, "wrong password")).status_code == 401


async def test_the_audit_says_who_logged_in_and_nothing_of_tokens(client, admin, somebody, connection):
    person = await somebody()
    entries = await admin.get("/v1/audit", params={"actor_id": person.id, "action": "session:started"})
    (entry,) = entries.json()["items"]
    assert entry["resource"].startswith("session:")
    assert entry["changes"] == {}
    await log_in(client, person.email, "wrong password")
    written = await connection.fetchval("SELECT string_agg(e::text, '') FROM audit_events e")
    for secret in (PASSWORD, "wrong password", *person.tokens["access_token"].split(".")):
        assert secret not in written
    assert person.tokens["refresh_token"] not in written
    nonces = await connection.fetch("SELECT encode(nonce, 'hex') FROM sessions")
    assert all(nonce[0] not in written for nonce in nonces)


async def test_a_session_that_is_not_committed_gives_no_tokens(client, rahima, failing_commits):
    async with failing_commits("sessions"):
        answer = await log_in(client, rahima)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert (await log_in(client, rahima)).status_code == 200


async def test_a_session_knows_its_device(client, rahima, connection):
    await log_in(client, rahima, headers={"User-Agent": "Firefox/145 " + "x" * 400})
    session = await connection.fetchrow("SELECT address, user_agent FROM sessions")
    assert session["address"] == "127.0.0.1"
    assert session["user_agent"].startswith("Firefox/145 x")
    assert len(session["user_agent"]) == 300
