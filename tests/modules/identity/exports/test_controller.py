"""`GET /v1/me/export`: all that is stored of a person, for that person alone, and nothing secret."""

import pytest
from tests.modules.identity.conftest import bearer, log_in, refresh
from tests.modules.identity.phone import set_up

from midrise.foundation.ids import new_id

pytestmark = pytest.mark.anyio

EXPORT = "/v1/me/export"


@pytest.fixture
async def person(somebody):
    return await somebody()


async def exported(client):
    answer = await client.get(EXPORT)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    return answer.json()


async def test_it_holds_the_account_its_sessions_and_its_second_factor(client, person, connection):
    ended = (await log_in(client, person.email, headers={"User-Agent": "a lost phone"})).json()
    await client.post("/v1/auth/logout", headers=bearer(ended["access_token"]))
    await set_up(person, connection)
    export = await exported(person.client)
    assert export["account"] == (await person.client.get("/v1/me")).json()
    stands, lost = export["sessions"]
    assert (stands["revoked_at"], lost["revoked_at"] is None) == (None, False)
    assert lost["user_agent"] == "a lost phone"
    (factor,) = export["records"]["second_factors"]
    assert factor["confirmed_at"]
    assert set(factor) == {"created_at", "confirmed_at"}
    of_session = {"id", "user_agent", "address", "created_at", "rotated_at", "expires_at", "revoked_at"}
    assert set(stands) == of_session


async def test_it_holds_what_the_person_did_and_what_was_done_to_them(admin, person):
    await person.client.patch("/v1/me", json={"name": "Karim"})
    await admin.put(f"/v1/users/{person.id}/roles", json={"roles": ["support"]})
    export = await exported(person.client)
    changed, started, registered = export["acts"]
    assert changed["changes"] == {"name": {"from": "Rahima Khatun", "to": "Karim"}}
    assert (started["action"], registered["action"]) == ("session:started", "user:registered")
    assert registered["address"] == "127.0.0.1"
    (assigned,) = export["acts_of_others"]
    assert assigned["changes"] == {"roles": {"from": ["customer"], "to": ["support"]}}
    assert set(assigned) == {"id", "created_at", "action", "changes"}


async def test_it_holds_no_secret_and_nothing_of_others(client, person, somebody, connection):
    other = await somebody(name="Somebody Else")
    phone = await set_up(person, connection)
    await refresh(client, person.tokens["refresh_token"])
    text = (await person.client.get(EXPORT)).text
    row = await connection.fetchrow("SELECT * FROM users WHERE id = $1", person.id)
    for secret in (row["password_hash"], phone.secret, *phone.recovery_codes, *person.tokens.values()):
        assert str(secret) not in text or secret in {"Bearer", 600, 2592000}
    for strange in (other.id, other.email, "Somebody Else"):
        assert strange not in text


async def test_it_is_whole_however_much_there_is(person, connection):
    await connection.execute(
        "INSERT INTO audit_events SELECT gen_random_uuid(), now() - number * interval '1 second', $1::uuid,"
        " 'user:changed', 'user:' || $1::uuid::text, '', '', '{}' FROM generate_series(1, 1203) AS number",
        person.id,
    )
    rows = [(new_id(), person.id, number) for number in range(1101)]
    await connection.executemany(
        "INSERT INTO sessions SELECT $1, $2, $3, '', '', '', now(), now(), now(), now()", rows
    )
    export = await exported(person.client)
    assert len(export["sessions"]) == 1102
    assert len({event["id"] for event in export["acts"]}) == len(export["acts"]) == 1205


async def test_a_visitor_has_none(client):
    assert (await client.get(EXPORT)).status_code == 401
