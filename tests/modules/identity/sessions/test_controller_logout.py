"""`POST /v1/auth/logout`: what is over, and where."""

import asyncio

import pytest
from tests.modules.identity.conftest import bearer, log_in, refresh

pytestmark = pytest.mark.anyio

LOGOUT = "/v1/auth/logout"


async def test_after_a_log_out_the_tokens_are_dead_on_every_instance(client, somebody, other_instance):
    person = await somebody()
    assert (await other_instance.get("/v1/me", headers=person.headers)).status_code == 200
    answer = await person.client.post(LOGOUT)
    assert (answer.status_code, answer.content) == (204, b"")
    for instance in (client, other_instance):
        answer = await instance.get("/v1/me", headers=person.headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        answer = await refresh(instance, person.tokens["refresh_token"])
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_tokens_that_were_renewed_die_with_the_session(client, somebody, other_instance):
    person = await somebody()
    tokens = (await refresh(client, person.tokens["refresh_token"])).json()
    await other_instance.post(LOGOUT, headers=person.headers)
    assert (await client.get("/v1/me", headers=bearer(tokens["access_token"]))).status_code == 401
    assert (await refresh(client, tokens["refresh_token"])).status_code == 401


async def test_other_sessions_go_on(client, somebody):
    person = await somebody()
    other = (await log_in(client, person.email)).json()
    await person.client.post(LOGOUT)
    assert (await client.get("/v1/me", headers=bearer(other["access_token"]))).status_code == 200
    assert (await refresh(client, other["refresh_token"])).status_code == 200


async def test_who_is_out_or_never_was_in_can_not_log_out(client, somebody):
    person = await somebody()
    assert (await person.client.post(LOGOUT)).status_code == 204
    for again in (person.client, client):
        answer = await again.post(LOGOUT)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_a_log_out_is_in_the_audit_once(somebody, admin):
    person = await somebody()
    answers = await asyncio.gather(*(person.client.post(LOGOUT) for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {204, 401}
    (entry,) = (await admin.get("/v1/audit", params={"action": "session:ended"})).json()["items"]
    assert entry["actor_id"] == person.id


async def test_a_log_out_takes_no_body_and_needs_none(somebody):
    assert (await (await somebody()).client.post(LOGOUT, content=b"")).status_code == 204
