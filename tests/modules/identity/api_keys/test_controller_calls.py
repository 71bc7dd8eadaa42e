"""What programs get with an API key, on two instances."""

from uuid import UUID

import pytest
from tests.foundation.waiting import until
from tests.modules.identity.api_keys.keys import (
    KEYS,
    ME,
    PERMISSIONS,
    USERS,
    headers_of,
    made,
    permissions_of,
    statuses,
)
from tests.modules.identity.conftest import bearer

from midrise.foundation.ids import new_id
from midrise.foundation.security.api_keys import ApiKeyTexts
from midrise.foundation.security.secrets import MasterSecret

pytestmark = pytest.mark.anyio


async def test_a_key_may_do_less_than_its_owner_and_is_narrowed_with_them(
    client, somebody, admin, other_instance
):
    person = await somebody(roles=["support", "manager"])
    key = await made(person, "users:read", "products:write")
    narrow = await made(person, "users:read")
    assert await permissions_of(client, narrow) == ["users:read"]
    for roles, left in (
        (["support"], ["users:read"]),
        (["customer"], []),
        (["manager"], ["products:write"]),
    ):
        await admin.put(f"{USERS}/{person.id}/roles", json={"roles": roles})
        for instance in (client, other_instance):
            assert await permissions_of(instance, key) == left


async def test_a_key_is_narrowed_with_the_role(client, somebody, admin, other_instance):
    role = {"name": "reader", "permissions": ["users:read"]}
    assert (await admin.post("/v1/roles", json=role)).status_code == 201
    person = await somebody()
    await admin.put(f"{USERS}/{person.id}/roles", json={"roles": ["reader"]})
    key = await made(person, "users:read")
    assert await statuses(key, client, other_instance, path=USERS) == {200}
    await admin.patch("/v1/roles/reader", json={"permissions": []})
    assert await statuses(key, client, other_instance, path=USERS) == {403}


async def test_the_session_and_the_key_of_one_person_are_not_shown_each_others_answers(client, somebody):
    person = await somebody(roles=["support"])
    key, other = await made(person, "users:read"), await made(person)
    for _ in range(2):
        assert (await person.client.get(PERMISSIONS)).json()["permissions"] != ["users:read"]
        assert await permissions_of(client, key) == ["users:read"]
        assert await permissions_of(client, other) == []


async def test_a_key_gets_at_nothing_that_is_the_persons_own(client, somebody):
    key = await made(await somebody(roles=["administrator"]), "users:read", "users:write")
    calls = [
        ("GET", KEYS),
        ("POST", KEYS),
        ("DELETE", f"{KEYS}/{key['id']}"),
        ("GET", "/v1/auth/sessions"),
        ("POST", "/v1/auth/logout-all"),
        ("POST", "/v1/auth/password/change"),
        ("POST", "/v1/auth/mfa/totp"),
        ("POST", "/v1/auth/email/verify/resend"),
        ("PATCH", ME),
        ("DELETE", ME),
        ("GET", "/v1/me/export"),
    ]
    for method, path in calls:
        answer = await client.request(method, path, headers=headers_of(key), json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "log_in_needed"), path


async def test_a_key_does_nothing_to_its_owner_that_its_permissions_do_not_cover(client, somebody):
    person = await somebody(roles=["administrator"])
    key = await made(person, "users:write")
    own = f"{USERS}/{person.id}"
    for method, body in (("PATCH", {"name": "X"}), ("DELETE", None)):
        answer = await client.request(method, own, json=body, headers=headers_of(key))
        assert answer.status_code == 403, answer.text
    assert (await person.client.get(ME)).status_code == 200


async def test_the_audit_tells_that_a_key_did_it(client, somebody, admin):
    person = await somebody(roles=["manager"])
    key = await made(person, "products:write")
    body = {"sku": "MUG", "name": "Mug", "price": {"amount": 1, "currency": "BDT"}}
    assert (await client.post("/v1/products", json=body, headers=headers_of(key))).status_code == 201
    (entry,) = (await admin.get("/v1/audit", params={"action": "product:created"})).json()["items"]
    assert (entry["actor_id"], entry["api_key_id"]) == (person.id, key["id"])
    acts = (await person.client.get("/v1/me/export")).json()
    assert key["id"] in {act["api_key_id"] for act in acts["acts"]}
    assert [each["id"] for each in acts["records"]["api_keys"]] == [key["id"]]


async def test_its_last_use_is_noted_once(client, somebody, application, connection):
    person = await somebody()
    key = await made(person)
    await client.get(ME, headers=headers_of(key))

    async def last_use():
        return (await person.client.get(KEYS)).json()["items"][0]["last_used_at"]

    await until(last_use)
    first = await last_use()
    writes = await connection.fetchval("SELECT xmin FROM api_keys")
    for _ in range(3):
        await client.get(ME, headers=headers_of(key))
    assert await last_use() == first
    assert await connection.fetchval("SELECT xmin FROM api_keys") == writes


async def test_a_program_is_not_given_what_its_owner_was_answered(client, somebody):
    person = await somebody(roles=["manager"])
    key = await made(person, "products:write")
    body = {"sku": "MUG", "name": "Mug", "price": {"amount": 1, "currency": "BDT"}}
    once = {"Idempotency-Key": "once"}
    assert (await person.client.post("/v1/products", json=body, headers=once)).status_code == 201
    answer = await client.post("/v1/products", json=body, headers=headers_of(key) | once)
    assert (answer.status_code, answer.json()["code"]) == (409, "sku_taken")


async def test_forged_keys_get_nothing_and_cost_no_query(client, somebody, settings, asked):
    person = await somebody()
    key = await made(person)
    ours = ApiKeyTexts(MasterSecret.from_text(settings.master.secret.get_secret_value()))
    text = key["key"]
    forged = [
        "mr_",
        "mr_unknown",
        text[:-1],
        text + "A",
        text[:-4] + ("AAAA" if text[-4:] != "AAAA" else "BBBB"),
        text[:40] + ("A" if text[40] != "A" else "B") + text[41:],
        text.upper(),
        "MR_" + text[3:],
        ApiKeyTexts(MasterSecret.generate()).issue(new_id(), new_id())[0],
        "mr_" + "A" * 112,
        "mr_" + "=" * 112,
        "mr_" + "a" * 70_000,
    ]
    asked.clear()
    for each in forged:
        answer = await client.get(ME, headers=bearer(each))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), each[:50]
    assert asked == []
    # One of the service's own making that is in no table, and one for the right row with another secret.
    for user_id, key_id in ((new_id(), new_id()), (UUID(person.id), UUID(key["id"]))):
        made_up, _ = ours.issue(key_id, user_id)
        assert (await client.get(ME, headers=bearer(made_up))).status_code == 401
    assert (await client.get(ME, headers=headers_of(key))).status_code == 200


async def test_a_key_costs_no_query_once_it_is_known(client, somebody, asked, connection):
    key = await made(await somebody())
    for _ in range(3):
        await client.get(PERMISSIONS, headers=headers_of(key))
    # The first use is written beside the request.
    await until(lambda: connection.fetchval("SELECT last_used_at FROM api_keys"))

    async def costs_nothing():
        asked.clear()
        assert await statuses(key, client, path=PERMISSIONS) == {200}
        return not asked

    # On a machine that is too busy to ask in time whether the cache may be used, the database is asked instead.
    await until(costs_nothing)


async def test_each_key_has_a_quota_of_its_own(somebody, start_application):
    limited = await start_application(rate={"limit": "3/3600"})
    person = await somebody()
    key, other = await made(person), await made(person)
    assert await statuses(key, *[limited] * 3) == {200}
    assert await statuses(key, limited) == {429}
    assert await statuses(other, limited) == {200}
    assert (await limited.get(ME, headers=person.headers)).status_code == 200
    # Forged ones spend the quota of their address, and not of the key that they resemble.
    forged = {"key": other["key"][:-4] + "AAAA"}
    assert await statuses(forged, *[limited] * 3) == {401}
    assert await statuses(forged, limited) == {429}
    assert await statuses(other, limited) == {200}


async def test_without_a_cache_the_decisions_are_the_same(somebody, start_application, admin):
    alone = await start_application(redis={"url": "redis://127.0.0.1:1"})
    person = await somebody(roles=["support"])
    key, ended = await made(person, "users:read"), await made(person)
    await person.client.delete(f"{KEYS}/{ended['id']}")
    assert await permissions_of(alone, key) == ["users:read"]
    assert await statuses(ended, alone) == {401}
    await admin.put(f"{USERS}/{person.id}/roles", json={"roles": ["customer"]})
    assert await permissions_of(alone, key) == []
    await admin.patch(f"{USERS}/{person.id}", json={"is_active": False})
    assert await statuses(key, alone) == {401}
