"""`/v1/auth/api-keys` and what programs get with a key, on two instances."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.modules.identity.api_keys.keys import (
    KEYS,
    ME,
    USERS,
    headers_of,
    made,
    permissions_of,
    statuses,
)
from tests.modules.identity.conftest import log_in

pytestmark = pytest.mark.anyio


async def test_a_key_is_shown_once_and_calls_on_every_instance(client, somebody, other_instance):
    person = await somebody(roles=["support"])
    answer = await person.client.post(KEYS, json={"name": "Import", "permissions": ["users:read"]})
    key = answer.json()
    assert answer.headers["location"] == f"{KEYS}/{key['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert key["key"].startswith("mr_")
    assert (key["name"], key["permissions"], key["expires_at"]) == ("Import", ["users:read"], None)
    (listed,) = (await person.client.get(KEYS)).json()["items"]
    assert listed == {name: value for name, value in key.items() if name != "key"}
    for instance in (client, other_instance):
        assert (await instance.get(ME, headers=headers_of(key))).json()["id"] == person.id
        assert await permissions_of(instance, key) == ["users:read"]
        assert await statuses(key, instance, path=USERS) == {200}


async def test_of_its_secret_only_a_digest_is_stored(somebody, connection):
    key = await made(await somebody())
    rows = await connection.fetchval("SELECT to_jsonb(api_keys)::text FROM api_keys")
    kept = await connection.fetchval("SELECT sealed_result FROM idempotency_keys")
    assert key["id"] in rows
    assert key["key"] not in rows
    assert kept is None


async def test_nobody_gives_a_key_what_they_lack(somebody):
    person = await somebody()
    body = {"name": "Import", "permissions": ["users:write"]}
    answer = await person.client.post(KEYS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await person.client.get(KEYS)).json()["items"] == []


@pytest.mark.parametrize(
    ("expires_at", "code"),
    [
        ("2020-01-01T00:00:00Z", "in_the_past"),
        ("0001-01-01T00:00:00+14:00", "wrong_format"),
        ("9999-12-31T23:59:59-14:00", "wrong_format"),
        ("2099-01-01T00:00:00", "wrong_format"),
    ],
)
async def test_what_is_wrong_with_a_new_key_is_said_of_each_field(somebody, expires_at, code):
    person = await somebody()
    body = {"name": "Import", "permissions": ["users:read", "mugs:break"], "expires_at": expires_at}
    answer = await person.client.post(KEYS, json=body, headers={"Accept-Language": "bn"})
    assert answer.status_code == 422
    faults = {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}
    assert faults["/expires_at"] == code
    assert faults.keys() <= {"/expires_at", "/permissions/1"}


async def test_a_key_ends_when_it_expires_also_where_it_is_remembered(
    client, somebody, other_instance, monkeypatch
):
    soon = datetime.now(UTC) + timedelta(hours=1)
    key = await made(await somebody(), expires_at=soon.isoformat())
    assert datetime.fromisoformat(key["expires_at"]) == soon
    assert await statuses(key, client, other_instance) == {200}
    monkeypatch.setattr("midrise.foundation.clock.timestamp", lambda: soon.timestamp() + 1)
    assert await statuses(key, client, other_instance) == {401}


async def test_a_deleted_key_is_dead_at_once_on_every_instance(client, somebody, other_instance, admin):
    person, other = await somebody(), await somebody()
    key, kept = await made(person), await made(person)
    assert await statuses(key, client, other_instance) == {200}
    path = f"{KEYS}/{key['id']}"
    assert (await other.client.delete(path)).status_code == 404
    assert (await other_instance.delete(path, headers=person.headers)).status_code == 204
    assert await statuses(key, client, other_instance) == {401}
    assert await statuses(kept, client, other_instance) == {200}
    assert (await person.client.delete(path)).status_code == 404
    entries = (await admin.get("/v1/audit", params={"resource": f"api_key:{key['id']}"})).json()["items"]
    assert [entry["action"] for entry in entries] == ["api_key:ended", "api_key:created"]


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "seven slow trains at noon"}])
async def test_it_ends_with_its_owners_account_being_disabled_or_taken_back(
    client, somebody, admin, other_instance, change
):
    person = await somebody()
    key = await made(person)
    assert await statuses(key, client, other_instance) == {200}
    assert (await admin.patch(f"{USERS}/{person.id}", json=change)).status_code == 200
    assert await statuses(key, client, other_instance) == {401}
    await admin.patch(f"{USERS}/{person.id}", json={"is_active": True})
    assert await statuses(key, client, other_instance) == {401}


async def test_it_ends_with_its_owner(client, somebody, admin, other_instance, connection):
    person = await somebody()
    key = await made(person)
    assert await statuses(key, client, other_instance) == {200}
    assert (await admin.delete(f"{USERS}/{person.id}")).status_code == 204
    assert await statuses(key, client, other_instance) == {401}
    assert await connection.fetchval("SELECT count(*) FROM api_keys") == 0


async def test_it_ends_with_a_reset_of_the_password(client, somebody, mailbox, other_instance):
    person = await somebody()
    key = await made(person)
    await client.post("/v1/auth/password/forgot", json={"email": person.email})
    token = await mailbox.token_to(person.email)
    body = {"token": token, "new_password": "seven slow trains at noon"}
    assert (await client.post("/v1/auth/password/reset", json=body)).status_code == 204
    assert await statuses(key, client, other_instance) == {401}


async def test_a_log_out_everywhere_and_a_changed_password_leave_it(client, somebody, other_instance):
    person = await somebody()
    key = await made(person)
    changed = {"current_password": "three green boats at dawn", "new_password": "seven slow trains at noon"}
    assert (await person.client.post("/v1/auth/password/change", json=changed)).status_code == 204
    assert (await person.client.post("/v1/auth/logout-all")).status_code == 204
    assert await statuses(key, client, other_instance) == {200}


async def test_repeated_with_its_idempotency_key_it_is_the_same_key_and_stored_sealed(somebody, connection):
    person = await somebody()
    body, once = {"name": "Import", "permissions": []}, {"Idempotency-Key": "once"}
    first = await person.client.post(KEYS, json=body, headers=once)
    again = await person.client.post(KEYS, json=body, headers=once)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    assert await connection.fetchval("SELECT count(*) FROM api_keys") == 1
    (sealed,) = await connection.fetchrow("SELECT sealed_result FROM idempotency_keys")
    assert first.json()["key"].encode() not in sealed


async def test_an_old_log_in_makes_no_key(somebody, connection):
    person = await somebody()
    await connection.execute("UPDATE sessions SET created_at = created_at - interval '16 minutes'")
    answer = await person.client.post(KEYS, json={"name": "Import", "permissions": []})
    assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")


async def test_a_hundred_keys_are_enough(somebody, connection):
    person = await somebody()
    key = await made(person)
    await connection.execute(
        "INSERT INTO api_keys SELECT gen_random_uuid(), user_id, name, digest, permissions, created_at"
        " FROM api_keys, generate_series(1, 99) WHERE id = $1",
        key["id"],
    )
    answer = await person.client.post(KEYS, json={"name": "Import", "permissions": []})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_api_keys")
    walked, cursor = [], None
    while True:
        page = (
            await person.client.get(KEYS, params={"limit": 30} | ({"cursor": cursor} if cursor else {}))
        ).json()
        walked += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(set(walked)) == 100


async def test_a_key_that_is_made_while_its_owner_is_disabled_ends_with_them(
    somebody, first, connection, client
):
    person = await somebody()
    async with first(f"UPDATE users SET is_active = false WHERE id = '{person.id}'") as waiting:
        making = await waiting(person.client.post(KEYS, json={"name": "Import", "permissions": []}))
    assert (await making).status_code == 401
    assert await connection.fetchval("SELECT count(*) FROM api_keys") == 0
    assert (await log_in(client, person.email)).status_code == 401
