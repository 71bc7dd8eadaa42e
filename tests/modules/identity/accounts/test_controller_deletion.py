"""`DELETE /v1/users/{id}` and `DELETE /v1/me`: what ends, what is erased, and what stays."""

import asyncio
from collections import Counter

import pytest
from tests.modules.identity.conftest import bearer, log_in, refresh

from midrise.foundation.database.metadata import metadata
from midrise.foundation.ids import new_id

pytestmark = pytest.mark.anyio

NAME, RENAMED = "Zubaida Unmistakable", "Zubaida Unforgotten"
ADDRESS = "127.0.0.1"


async def everything(connection):
    """All that every table holds, as text."""
    rows = []
    for table in metadata.sorted_tables:
        rows += await connection.fetch(f"SELECT each::text FROM {table.name} AS each")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("by_themselves", [True, False], ids=["by themselves", "by an administrator"])
async def test_who_is_deleted_is_out_at_once_on_every_instance(
    admin, client, somebody, other_instance, by_themselves
):
    person = await somebody()
    second = (await log_in(other_instance, person.email)).json()
    assert (await other_instance.get("/v1/me", headers=person.headers)).status_code == 200
    if by_themselves:
        answer = await person.client.delete("/v1/me")
    else:
        answer = await admin.delete(f"/v1/users/{person.id}")
    assert (answer.status_code, answer.content) == (204, b"")
    for instance in (client, other_instance):
        for tokens in (person.tokens, second):
            answer = await instance.get("/v1/me", headers=bearer(tokens["access_token"]))
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            assert (await refresh(instance, tokens["refresh_token"])).status_code == 401
        assert (await log_in(instance, person.email)).json()["code"] == "invalid_credentials"
    assert (await admin.get(f"/v1/users/{person.id}")).status_code == 404
    assert (await admin.delete(f"/v1/users/{person.id}")).status_code == 404


async def test_nothing_is_left_of_a_person_but_an_id(admin, somebody, audit_of, connection):
    person = await somebody(name=NAME, email="zubaida.unmistakable@midrise.test")
    await person.client.patch("/v1/me", json={"name": RENAMED})
    await admin.patch(f"/v1/users/{person.id}", json={"email": "zubaida.elsewhere@midrise.test"})
    await admin.put(f"/v1/users/{person.id}/roles", json={"roles": ["support"]})
    assert "zubaida" in (await everything(connection)).lower()
    await person.client.delete("/v1/me")
    left = await everything(connection)
    assert "zubaida" not in left.lower()
    ids = (
        "SELECT sum((actor_id = $1)::int + (resource = 'user:' || $1::text)::int)"
        " FROM audit_events WHERE actor_id = $1 OR resource = 'user:' || $1::text"
    )
    assert left.count(person.id) == await connection.fetchval(ids, person.id)


async def test_the_audit_stays_readable(admin, admin_id, somebody, audit_of, connection):
    person = await somebody(name=NAME)
    await person.client.patch("/v1/me", json={"name": RENAMED, "locale": "bn"})
    await admin.put(f"/v1/users/{person.id}/roles", json={"roles": ["support"]})
    await person.client.delete("/v1/me")
    deleted, assigned, changed, registered = await audit_of(person.id)
    assert (deleted["action"], deleted["actor_id"]) == ("user:deleted", person.id)
    assert assigned["changes"] == {"roles": {"from": ["customer"], "to": ["support"]}}
    assert changed["changes"] == {"name": None, "locale": {"from": "en", "to": "bn"}}
    assert (registered["action"], registered["changes"]) == ("user:registered", {"roles": ["customer"]})
    # From where others acted stays.
    assert [entry["address"] for entry in (deleted, assigned, changed, registered)] == ["", ADDRESS, "", ""]


async def test_others_keep_what_is_theirs(admin, somebody, connection):
    person, other = await somebody(), await somebody()
    await other.client.patch("/v1/me", json={"name": "Karim"})
    await person.client.delete("/v1/me")
    assert (await other.client.get("/v1/me")).json()["name"] == "Karim"
    (entry,) = (await admin.get("/v1/audit", params={"action": "user:changed"})).json()["items"]
    assert entry["changes"] == {"name": {"from": "Rahima Khatun", "to": "Karim"}}
    assert entry["address"] == ADDRESS


async def test_an_address_that_was_given_up_is_free(client, somebody):
    person = await somebody()
    await person.client.delete("/v1/me")
    again = await somebody(email=person.email)
    assert again.id != person.id
    assert (await client.get("/v1/me", headers=person.headers)).status_code == 401


async def test_nobody_deletes_somebody_who_may_do_more(keeper, admin, admin_id, somebody):
    support, customer = await somebody(roles=["support"]), await somebody()
    for target in (admin_id, support.id):
        answer = await keeper.client.delete(f"/v1/users/{target}")
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await support.client.get("/v1/me")).status_code == 200
    assert (await keeper.client.delete(f"/v1/users/{customer.id}")).status_code == 204
    assert (await keeper.client.delete(f"/v1/users/{keeper.id}")).status_code == 204


async def test_only_who_may_deletes_others(client, somebody):
    person, target = await somebody(roles=["manager", "support"]), await somebody()
    assert (await client.delete(f"/v1/users/{target.id}")).status_code == 401
    assert (await person.client.delete(f"/v1/users/{target.id}")).status_code == 403
    assert (await client.delete("/v1/me")).status_code == 401


@pytest.mark.parametrize("own", [True, False], ids=["/v1/me", "/v1/users/{id}"])
async def test_the_last_administrator_can_not_go(admin, admin_id, somebody, connection, own):
    disabled = await somebody(roles=["administrator"])
    await admin.patch(f"/v1/users/{disabled.id}", json={"is_active": False})
    answer = await admin.delete("/v1/me" if own else f"/v1/users/{admin_id}")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")
    assert (await admin.get("/v1/me")).status_code == 200
    # One who is disabled administers nothing, and may go.
    assert (await admin.delete(f"/v1/users/{disabled.id}")).status_code == 204


async def test_one_of_two_administrators_may_go(admin, admin_id, somebody):
    other = await somebody(roles=["administrator"])
    assert (await other.client.delete("/v1/me")).status_code == 204
    assert (await admin.delete("/v1/me")).status_code == 409


@pytest.mark.parametrize("times", range(3))
async def test_administrators_who_go_all_at_once_leave_one(client, other_instance, somebody, connection, times):
    people = [await somebody(roles=["administrator"]) for _ in range(6)]
    calls = [
        client.delete("/v1/me", headers=people[0].headers),
        other_instance.delete("/v1/me", headers=people[1].headers),
        client.delete(f"/v1/users/{people[3].id}", headers=people[2].headers),
        other_instance.patch(f"/v1/users/{people[4].id}", json={"is_active": False}, headers=people[3].headers),
        client.put(f"/v1/users/{people[5].id}/roles", json={"roles": []}, headers=people[4].headers),
        other_instance.put(f"/v1/users/{people[2].id}/roles", json={"roles": []}, headers=people[5].headers),
        client.delete("/v1/me", headers=people[5].headers),
        other_instance.delete("/v1/me", headers=people[2].headers),
        client.delete("/v1/me", headers=people[3].headers),
        other_instance.delete("/v1/me", headers=people[4].headers),
    ]
    answers = await asyncio.gather(*calls)
    assert set(Counter(answer.status_code for answer in answers)) <= {200, 204, 401, 403, 404, 409}
    assert (
        await connection.fetchval(
            "SELECT count(*) FROM users JOIN user_roles ON user_id = id"
            " WHERE role_name = 'administrator' AND is_active"
        )
        >= 1
    )


async def test_a_log_in_under_way_starts_no_session_of_who_is_gone(client, somebody, first):
    person = await somebody()
    async with first(f"DELETE FROM users WHERE id = '{person.id}'") as waiting:
        call = await waiting(log_in(client, person.email))
    assert (await call).status_code == 401


async def test_a_stale_tag_deletes_nothing(admin, somebody):
    person = await somebody()
    await person.client.patch("/v1/me", json={"name": "Karim"})
    for client, path in ((admin, f"/v1/users/{person.id}"), (person.client, "/v1/me")):
        answer = await client.delete(path, headers={"If-Match": '"1"'})
        assert (answer.status_code, answer.headers["etag"]) == (412, '"2"')
    assert (await person.client.delete("/v1/me", headers={"If-Match": '"2"'})).status_code == 204


async def test_a_user_that_does_not_exist_is_not_found(admin):
    assert (await admin.delete(f"/v1/users/{new_id()}")).status_code == 404
