"""`PUT /v1/users/{id}/roles`: who gives which roles to whom, and from when they count."""

import asyncio
from collections import Counter

import pytest

from midrise.foundation.ids import new_id

pytestmark = pytest.mark.anyio


async def assign(client, user_id, *roles, **headers):
    return await client.put(f"/v1/users/{user_id}/roles", json={"roles": list(roles)}, headers=headers)


@pytest.fixture
async def admin_id(admin):
    return (await admin.get("/v1/me")).json()["id"]


@pytest.fixture
async def assigner(admin, somebody):
    """Somebody who may assign roles, and manages products."""
    role = {"name": "assigner", "permissions": ["roles:assign"]}
    assert (await admin.post("/v1/roles", json=role)).status_code == 201
    return await somebody(roles=["assigner", "manager"])


async def test_roles_count_from_the_next_request_on_every_instance(admin, somebody, other_instance):
    person = await somebody()

    async def statuses():
        users = await other_instance.get("/v1/users", headers=person.headers)
        audit = await person.client.get("/v1/audit")
        return users.status_code, audit.status_code

    assert await statuses() == (403, 403)
    answer = await assign(admin, person.id, "support")
    assert (answer.status_code, answer.json()["roles"], answer.headers["etag"]) == (200, ["support"], '"2"')
    assert await statuses() == (200, 200)
    await assign(admin, person.id)
    assert await statuses() == (403, 403)


async def test_the_roles_are_these_and_no_others(admin, somebody):
    person = await somebody(roles=["customer", "support"])
    answer = await assign(admin, person.id, "manager", "customer", "manager")
    assert answer.json()["roles"] == ["customer", "manager"]
    assert (await person.client.get("/v1/me")).json() == answer.json()


async def test_the_same_roles_again_leave_version_and_audit(admin, somebody):
    person = await somebody(roles=["customer", "support"])
    answer = await assign(admin, person.id, "support", "customer")
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    entries = (await admin.get("/v1/audit", params={"action": "user:roles:assigned"})).json()["items"]
    assert entries == []


async def test_the_audit_has_both_sets(admin, admin_id, somebody):
    person = await somebody()
    await assign(admin, person.id, "manager", "support")
    (entry,) = (await admin.get("/v1/audit", params={"action": "user:roles:assigned"})).json()["items"]
    assert (entry["actor_id"], entry["resource"]) == (admin_id, f"user:{person.id}")
    assert entry["changes"] == {"roles": {"from": ["customer"], "to": ["manager", "support"]}}


async def test_roles_that_do_not_exist_are_each_named(admin, somebody):
    person = await somebody()
    answer = await assign(admin, person.id, "nothing", "manager", "administrators")
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
        ("/roles/0", "unknown_reference"),
        ("/roles/2", "unknown_reference"),
    ]
    assert (await person.client.get("/v1/me")).json()["roles"] == ["customer"]


async def test_a_user_that_does_not_exist_is_not_found(admin):
    assert (await assign(admin, new_id(), "manager")).status_code == 404


async def test_only_who_may_assigns(client, somebody):
    person = await somebody(roles=["manager", "support"])
    assert (await assign(client, person.id, "administrator")).status_code == 401
    answer = await assign(person.client, person.id, "administrator")
    assert answer.status_code == 403
    assert "roles:assign" in answer.json()["detail"]


async def test_nobody_gives_what_they_lack(assigner, somebody, connection):
    person = await somebody()
    assert (await assign(assigner.client, person.id, "manager", "customer")).status_code == 200
    for target in (person, assigner):
        for role, permission in (("support", "audit:read"), ("administrator", "audit:read")):
            answer = await assign(assigner.client, target.id, "manager", role)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            assert permission in answer.json()["detail"]
    entries = await connection.fetchval(
        "SELECT count(*) FROM audit_events WHERE action = 'user:roles:assigned'"
    )
    assert entries == 1


async def test_nobody_takes_away_what_they_lack(assigner, admin_id, somebody):
    support = await somebody(roles=["support", "manager"])
    for target in (support.id, admin_id):
        assert (await assign(assigner.client, target, "customer")).status_code == 403
    answer = await assign(assigner.client, support.id, "support", "customer")
    assert answer.json()["roles"] == ["customer", "support"]


async def test_a_role_that_is_about_to_get_more_is_not_given_on_what_it_was(assigner, somebody, first):
    person = await somebody()
    more = "INSERT INTO role_permissions VALUES ('manager', 'users:write')"
    async with first("UPDATE roles SET version = 2 WHERE name = 'manager'", more) as waiting:
        call = await waiting(assign(assigner.client, person.id, "manager"))
    answer = await call
    assert answer.status_code == 403
    assert "users:write" in answer.json()["detail"]


async def test_an_assignment_for_an_old_state_is_refused(admin, somebody):
    person = await somebody()
    tag = (await admin.get(f"/v1/users/{person.id}")).headers["etag"]
    assert (await assign(admin, person.id, "manager", **{"If-Match": tag})).status_code == 200
    answer = await assign(admin, person.id, "support", **{"If-Match": tag})
    assert (answer.status_code, answer.headers["etag"]) == (412, '"2"')


async def test_the_last_administrator_stays(admin, admin_id, somebody, connection):
    for roles in ([], ["manager"]):
        answer = await assign(admin, admin_id, *roles)
        assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")
    other = await somebody(roles=["administrator"])
    await connection.execute("UPDATE users SET is_active = false WHERE id = $1", other.id)
    assert (await assign(admin, admin_id, "manager")).status_code == 409
    await connection.execute("UPDATE users SET is_active = true WHERE id = $1", other.id)
    assert (await assign(admin, admin_id, "manager")).status_code == 200
    assert (await assign(admin, admin_id, "administrator")).status_code == 403


async def test_two_administrators_who_demote_each_other_leave_one(
    client, somebody, other_instance, first, connection
):
    one, other = [await somebody(roles=["administrator"]) for _ in range(2)]
    url = f"/v1/users/{one.id}/roles"
    async with first("SELECT FROM roles WHERE name = 'administrator' FOR UPDATE") as waiting:
        calls = [
            await waiting(assign(one.client, other.id, "customer")),
            await waiting(other_instance.put(url, json={"roles": ["customer"]}, headers=other.headers)),
        ]
    answers = await asyncio.gather(*calls)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 1}
    left = await connection.fetchval("SELECT count(*) FROM user_roles WHERE role_name = 'administrator'")
    assert left == 1


async def test_many_administrators_who_demote_each_other_leave_one(somebody, connection):
    people = [await somebody(roles=["administrator"]) for _ in range(6)]
    answers = await asyncio.gather(
        *(assign(one.client, other.id) for one in people for other in people if one is not other)
    )
    assert {answer.status_code for answer in answers} <= {200, 401, 403, 409}
    left = await connection.fetchval("SELECT count(*) FROM user_roles WHERE role_name = 'administrator'")
    assert left >= 1


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, ("/roles", "missing")),
        ({"roles": "manager"}, ("/roles", "wrong_type")),
        ({"roles": [None]}, ("/roles/0", "wrong_type")),
        ({"roles": [""]}, ("/roles/0", "too_short")),
        ({"roles": ["x" * 65]}, ("/roles/0", "too_long")),
        ({"roles": ["x\0"]}, ("/roles/0", "nul_character")),
        ({"roles": ["x"] * 101}, ("/roles", "too_long")),
    ],
)
async def test_a_bad_field_is_named(admin, admin_id, body, fault):
    answer = await admin.put(f"/v1/users/{admin_id}/roles", json=body)
    assert answer.status_code == 422
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [fault]
