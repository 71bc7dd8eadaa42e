"""`POST /v1/auth/refresh`: rotation, repetition, and what becomes of a stolen token."""

import asyncio
import base64
from collections import Counter
from uuid import UUID

import pytest
from tests.modules.identity.conftest import bearer, refresh

from midrise.foundation import clock
from midrise.foundation.ids import new_id
from midrise.foundation.security.refresh_tokens import RefreshTokens
from midrise.foundation.security.secrets import MasterSecret

pytestmark = pytest.mark.anyio

LONGER_THAN_GRACE = "UPDATE sessions SET rotated_at = rotated_at - interval '31 seconds'"


@pytest.fixture
async def person(somebody):
    return await somebody()


@pytest.fixture
def session_id(person):
    return UUID(bytes=base64.urlsafe_b64decode(person.tokens["refresh_token"] + "==")[1:17])


async def refused(answer, code="unauthenticated"):
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def renewed(client, token):
    answer = await refresh(client, token)
    assert answer.status_code == 200, answer.text
    return answer.json()["refresh_token"]


async def test_a_token_is_exchanged_for_new_ones(client, person):
    answer = await refresh(client, person.tokens["refresh_token"])
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    tokens = answer.json()
    assert tokens["refresh_token"] != person.tokens["refresh_token"]
    assert tokens["access_token"] != person.tokens["access_token"]
    assert (tokens["expires_in"], tokens["token_type"]) == (600, "Bearer")
    assert tokens["refresh_expires_in"] == person.tokens["refresh_expires_in"]
    for headers in (person.headers, bearer(tokens["access_token"])):
        assert (await client.get("/v1/me", headers=headers)).json()["id"] == person.id


async def test_a_chain_of_tokens_goes_on_across_instances(client, other_instance, person, connection):
    token = person.tokens["refresh_token"]
    for instance in (client, other_instance) * 3:
        token = await renewed(instance, token)
    assert await connection.fetchval("SELECT generation FROM sessions") == 6


async def test_fifty_at_once_get_one_successor(client, other_instance, person, connection):
    answers = await asyncio.gather(
        *(refresh(instance, person.tokens["refresh_token"]) for instance in (client, other_instance) * 25)
    )
    assert Counter(answer.status_code for answer in answers) == {200: 50}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    assert await connection.fetchval("SELECT generation FROM sessions") == 1
    await renewed(client, answers[0].json()["refresh_token"])


async def test_a_spent_token_repeats_its_successor_while_that_is_unspent(client, person):
    successor = await renewed(client, person.tokens["refresh_token"])
    assert await renewed(client, person.tokens["refresh_token"]) == successor
    await renewed(client, successor)
    await refused(await refresh(client, person.tokens["refresh_token"]), "token_reused")


async def test_a_spent_token_repeats_nothing_after_the_grace(client, person, connection):
    await renewed(client, person.tokens["refresh_token"])
    await connection.execute(LONGER_THAN_GRACE)
    await refused(await refresh(client, person.tokens["refresh_token"]), "token_reused")


async def test_a_reused_token_ends_its_session_for_all(client, other_instance, person, connection):
    second = await renewed(client, person.tokens["refresh_token"])
    third = await renewed(client, second)
    await refused(await refresh(other_instance, person.tokens["refresh_token"]), "token_reused")
    assert await connection.fetchval("SELECT revoked_at IS NOT NULL FROM sessions")
    for instance in (client, other_instance):
        assert (await instance.get("/v1/me", headers=person.headers)).status_code == 401
        for token in (third, second, person.tokens["refresh_token"]):
            await refused(await refresh(instance, token))


async def test_a_reuse_is_in_the_audit_once(client, admin, person, session_id, connection):
    await renewed(client, person.tokens["refresh_token"])
    await connection.execute(LONGER_THAN_GRACE)
    answers = await asyncio.gather(*(refresh(client, person.tokens["refresh_token"]) for _ in range(10)))
    assert {answer.json()["code"] for answer in answers} <= {"token_reused", "unauthenticated"}
    (entry,) = (await admin.get("/v1/audit", params={"action": "session:token:reused"})).json()["items"]
    assert (entry["resource"], entry["actor_id"]) == (f"session:{session_id}", person.id)
    assert entry["request_id"] in {answer.headers["x-request-id"] for answer in answers}


async def test_a_reuse_ends_no_other_session(client, somebody, person, connection):
    other = await somebody()
    await renewed(client, person.tokens["refresh_token"])
    await connection.execute(LONGER_THAN_GRACE)
    await refused(await refresh(client, person.tokens["refresh_token"]), "token_reused")
    assert (await other.client.get("/v1/me")).status_code == 200
    await renewed(client, other.tokens["refresh_token"])


async def test_a_token_that_we_did_not_make_revokes_nothing(client, person, session_id, connection):
    nonce = await connection.fetchval("SELECT nonce FROM sessions")
    stranger = RefreshTokens(MasterSecret.generate())
    right = person.tokens["refresh_token"]
    for forged in (
        right[:-2] + ("AA" if right[-2:] != "AA" else "BA"),
        stranger.issue(session_id, 0, nonce=nonce),
        stranger.issue(new_id(), 0, nonce=nonce),
        right + "=",
        right[:-1],
        "",
        "nonsense",
        person.tokens["access_token"][:1000],
    ):
        await refused(await refresh(client, forged))
    await renewed(client, right)


async def test_an_old_generation_of_a_guessed_nonce_revokes_nothing(client, person, session_id, master_secret):
    await renewed(client, person.tokens["refresh_token"])
    guessed = RefreshTokens(MasterSecret.from_text(master_secret)).issue(session_id, 0, nonce=bytes(16))
    await refused(await refresh(client, guessed))
    assert (await person.client.get("/v1/me")).status_code == 200


async def test_an_expired_session_is_over(client, person, connection):
    await connection.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")
    await refused(await refresh(client, person.tokens["refresh_token"]))
    assert (await person.client.get("/v1/me")).status_code == 401


async def test_a_session_that_grows_old_is_prolonged_by_less(client, person, connection):
    await connection.execute("UPDATE sessions SET created_at = created_at - interval '175 days'")
    answer = await refresh(client, person.tokens["refresh_token"])
    assert answer.json()["refresh_expires_in"] <= 5 * 24 * 3600


async def test_a_disabled_user_gets_no_tokens(client, person, connection):
    await connection.execute("UPDATE users SET is_active = false")
    await refused(await refresh(client, person.tokens["refresh_token"]))


async def test_a_log_out_on_its_way_wins(client, person, first):
    async with first("UPDATE sessions SET revoked_at = now()") as waiting:
        call = await waiting(refresh(client, person.tokens["refresh_token"]))
    await refused(await call)


async def test_whoever_waited_repeats_what_the_first_one_got(client, person, first):
    async with first("UPDATE sessions SET generation = 1, rotated_at = now()") as waiting:
        call = await waiting(refresh(client, person.tokens["refresh_token"]))
    repeated = (await call).json()["refresh_token"]
    assert await renewed(client, person.tokens["refresh_token"]) == repeated


async def test_a_rotation_that_is_not_committed_gives_no_tokens(client, person, failing_commits, connection):
    async with failing_commits("sessions"):
        answer = await refresh(client, person.tokens["refresh_token"])
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert await connection.fetchval("SELECT generation FROM sessions") == 0
    await renewed(client, person.tokens["refresh_token"])


async def test_an_expired_access_token_beside_it_does_no_harm(person, monkeypatch):
    later = clock.timestamp() + 1000
    monkeypatch.setattr(clock, "timestamp", lambda: later)
    assert (await person.client.get("/v1/me")).status_code == 401
    assert (await refresh(person.client, person.tokens["refresh_token"])).status_code == 200


async def test_the_audit_tells_whose_session_it_was_not_who_else_was_logged_in(
    client, admin, person, connection
):
    await renewed(client, person.tokens["refresh_token"])
    await connection.execute(LONGER_THAN_GRACE)
    await refused(await refresh(admin, person.tokens["refresh_token"]), "token_reused")
    (entry,) = (await admin.get("/v1/audit", params={"action": "session:token:reused"})).json()["items"]
    assert entry["actor_id"] == person.id


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing"),
        ({"refresh_token": 1}, "wrong_type"),
        ({"refresh_token": "x" * 1001}, "too_long"),
    ],
)
async def test_a_bad_field_is_named(client, body, code):
    answer = await client.post("/v1/auth/refresh", json=body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/refresh_token", code)
