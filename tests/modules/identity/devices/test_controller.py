"""`/v1/auth/sessions` and `/v1/auth/logout-all`: where somebody is logged in, and the end of it."""

import asyncio

import pytest
from tests.modules.identity.conftest import bearer, log_in, refresh

from midrise.foundation.ids import new_id

pytestmark = pytest.mark.anyio

SESSIONS = "/v1/auth/sessions"
LOGOUT_ALL = "/v1/auth/logout-all"


async def sessions_of(client, **parameters):
    answer = await client.get(SESSIONS, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def is_in(client, tokens):
    """Whether the tokens work: both of them, or neither."""
    me = await client.get("/v1/me", headers=bearer(tokens["access_token"]))
    renewal = await refresh(client, tokens["refresh_token"])
    assert me.status_code == renewal.status_code
    return me.status_code == 200


async def test_a_session_shows_its_device_its_address_and_whether_it_is_the_one_that_asks(client, somebody):
    person = await somebody()
    await log_in(client, person.email, headers={"User-Agent": "Firefox on a phone"})
    other, own = await sessions_of(person.client)
    assert (other["device"], other["current"]) == ("Firefox on a phone", False)
    assert (own["device"].partition("/")[0], own["current"]) == ("python-httpx", True)
    assert own["address"] == other["address"] == "127.0.0.1"
    assert own["created_at"] == own["last_used_at"] < own["expires_at"]
    assert set(own) == {"id", "device", "address", "created_at", "last_used_at", "expires_at", "current"}


async def test_a_client_that_says_nothing_of_itself_has_no_device(client, somebody):
    person = await somebody()
    await log_in(client, person.email, headers={"User-Agent": ""})
    assert [session["device"] is None for session in await sessions_of(person.client)] == [True, False]


async def test_a_session_is_used_by_a_refresh_not_by_a_request(client, somebody):
    person = await somebody()
    (before,) = await sessions_of(person.client)
    assert await sessions_of(person.client) == [before]
    await refresh(client, person.tokens["refresh_token"], headers={"User-Agent": "Firefox, a week later"})
    (after,) = await sessions_of(person.client)
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])
    assert after["last_used_at"] > before["last_used_at"]
    assert after["device"] == "Firefox, a week later"


async def test_the_latest_log_in_comes_first_page_by_page(client, somebody):
    person = await somebody()
    for _ in range(4):
        await log_in(client, person.email)
    all_of_them = await sessions_of(person.client)
    assert [session["created_at"] for session in all_of_them] == sorted(
        (session["created_at"] for session in all_of_them), reverse=True
    )
    first = (await person.client.get(SESSIONS, params={"limit": 3})).json()
    second = (await person.client.get(SESSIONS, params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert (first["items"] + second["items"], second["next_cursor"]) == (all_of_them, None)


async def test_sessions_that_ended_or_expired_or_are_of_others_are_not_shown(client, somebody, connection):
    person, other = await somebody(), await somebody()
    ended, expired = [(await log_in(client, person.email)).json() for _ in range(2)]
    await client.post("/v1/auth/logout", headers=bearer(ended["access_token"]))
    await connection.execute(
        "UPDATE sessions SET expires_at = now() WHERE id = (SELECT id FROM sessions"
        " WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id DESC LIMIT 1)",
        person.id,
    )
    assert [session["current"] for session in await sessions_of(person.client)] == [True]
    assert len(await sessions_of(other.client)) == 1
    assert not await is_in(client, expired)


async def test_one_session_can_be_ended_from_another_on_every_instance(client, somebody, other_instance):
    person = await somebody()
    lost = (await log_in(client, person.email)).json()
    assert (await other_instance.get("/v1/me", headers=bearer(lost["access_token"]))).status_code == 200
    lost_id = next(each["id"] for each in await sessions_of(person.client) if not each["current"])
    answer = await person.client.delete(f"{SESSIONS}/{lost_id}")
    assert (answer.status_code, answer.content) == (204, b"")
    for instance in (client, other_instance):
        assert not await is_in(instance, lost)
        assert (await instance.get("/v1/me", headers=person.headers)).status_code == 200


async def test_the_session_that_asks_can_end_itself(client, somebody):
    person = await somebody()
    (own,) = await sessions_of(person.client)
    assert (await person.client.delete(f"{SESSIONS}/{own['id']}")).status_code == 204
    assert not await is_in(client, person.tokens)


async def test_what_is_of_another_or_over_or_never_was_is_not_found(client, somebody):
    person, other = await somebody(), await somebody()
    (others,) = await sessions_of(other.client)
    await log_in(client, person.email)
    over = next(each["id"] for each in await sessions_of(person.client) if not each["current"])
    assert (await person.client.delete(f"{SESSIONS}/{over}")).status_code == 204
    bodies = []
    for session_id in (others["id"], over, new_id()):
        answer = await person.client.delete(f"{SESSIONS}/{session_id}")
        assert answer.status_code == 404
        bodies.append({name: answer.json()[name] for name in ("code", "title", "detail", "status")})
    assert bodies[1:] == bodies[:-1]
    assert await is_in(client, other.tokens)


async def test_a_log_out_everywhere_ends_every_session_on_every_instance(client, somebody, other_instance):
    person, bystander = await somebody(), await somebody()
    others = [(await log_in(instance, person.email)).json() for instance in (client, other_instance)]
    answer = await person.client.post(LOGOUT_ALL)
    assert (answer.status_code, answer.content) == (204, b"")
    for instance in (client, other_instance):
        for tokens in (person.tokens, *others):
            assert not await is_in(instance, tokens)
        assert (await instance.get("/v1/me", headers=bystander.headers)).status_code == 200
    assert (await person.client.post(LOGOUT_ALL)).status_code == 401
    assert (await log_in(client, person.email)).status_code == 200


async def test_a_refresh_under_way_brings_no_session_back(client, somebody, connection):
    person = await somebody()
    tokens = [(await log_in(client, person.email)).json() for _ in range(10)]
    answers, ending = await asyncio.gather(
        asyncio.gather(*(refresh(client, each["refresh_token"]) for each in tokens)),
        person.client.post(LOGOUT_ALL),
    )
    assert ending.status_code == 204
    renewed = [answer.json() for answer in answers if answer.status_code == 200]
    for each in (*tokens, *renewed):
        assert not await is_in(client, each)
    assert await connection.fetchval("SELECT count(*) FROM sessions WHERE revoked_at IS NULL") == 0


async def test_the_audit_has_one_entry_for_each_end(client, somebody, admin):
    person = await somebody()
    await log_in(client, person.email)
    other = next(each["id"] for each in await sessions_of(person.client) if not each["current"])
    await person.client.delete(f"{SESSIONS}/{other}")
    await person.client.post(LOGOUT_ALL)
    entries = (await admin.get("/v1/audit", params={"actor_id": person.id})).json()["items"]
    assert [(each["action"], each["resource"], each["changes"]) for each in entries[:2]] == [
        ("session:all:ended", f"user:{person.id}", {"sessions": 1}),
        ("session:ended", f"session:{other}", {}),
    ]


@pytest.mark.parametrize(("method", "path"), [("GET", SESSIONS), ("POST", LOGOUT_ALL)])
async def test_a_visitor_has_no_sessions(client, method, path):
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
