"""`/v1/roles`: nobody gives or takes what they may not do, and no race gets around it."""

import asyncio

import pytest

pytestmark = pytest.mark.anyio

ROLES = "/v1/roles"


@pytest.fixture
async def keeper(admin, somebody):
    """Somebody who looks after roles, and may read users besides."""
    permissions = ["roles:read", "roles:write", "users:read"]
    await admin.post(ROLES, json={"name": "keeper", "permissions": permissions})
    return (await somebody(roles=["keeper"])).client


async def test_who_may_not_is_refused(client, customer, somebody):
    support = (await somebody(roles=["support"])).client
    new = {"name": "x", "permissions": []}
    for url in (ROLES, f"{ROLES}/customer", "/v1/permissions"):
        assert (await client.get(url)).status_code == 401
        assert (await customer.get(url)).status_code == 403
        assert (await support.get(url)).status_code == 200
    for attempt in (
        support.post(ROLES, json=new),
        support.patch(f"{ROLES}/customer", json={}),
        support.delete(f"{ROLES}/customer"),
        customer.delete(f"{ROLES}/no-such-role"),
    ):
        answer = await attempt
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_nobody_makes_a_role_of_what_they_lack(keeper):
    allowed = {"name": "reader", "permissions": ["users:read"]}
    assert (await keeper.post(ROLES, json=allowed)).status_code == 201
    answer = await keeper.post(ROLES, json={"name": "x", "permissions": ["users:read", "users:write"]})
    assert answer.status_code == 403
    assert "users:write" in answer.json()["detail"]
    assert (await keeper.get(f"{ROLES}/x")).status_code == 404


async def test_nobody_adds_to_a_role_what_they_lack_their_own_least_of_all(keeper):
    for name in ("keeper", "customer", "support"):
        shown = (await keeper.get(f"{ROLES}/{name}")).json()["permissions"]
        answer = await keeper.patch(f"{ROLES}/{name}", json={"permissions": [*shown, "users:write"]})
        assert answer.status_code == 403
        assert (await keeper.get(f"{ROLES}/{name}")).json()["permissions"] == shown


async def test_nobody_takes_from_a_role_what_they_lack(keeper):
    for permissions in ([], ["users:read"], ["users:read", "roles:read"]):
        answer = await keeper.patch(f"{ROLES}/support", json={"permissions": permissions})
        assert answer.status_code == 403
        assert "audit:read" in answer.json()["detail"]
    kept = await keeper.patch(f"{ROLES}/support", json={"permissions": ["audit:read", "users:read"]})
    assert kept.json()["permissions"] == ["audit:read", "users:read"]


async def test_nobody_deletes_a_role_that_allows_what_they_lack(keeper, admin):
    await admin.post(ROLES, json={"name": "auditor", "permissions": ["audit:read"]})
    assert (await keeper.delete(f"{ROLES}/auditor")).status_code == 403
    assert (await admin.delete(f"{ROLES}/auditor")).status_code == 204


async def test_a_role_in_use_stays_until_nobody_has_it(admin, somebody):
    await admin.post(ROLES, json={"name": "x", "permissions": []})
    person = await somebody(roles=["x"])
    answer = await admin.delete(f"{ROLES}/x")
    assert (answer.status_code, answer.json()["code"]) == (409, "role_in_use")
    assert (await admin.get("/v1/audit", params={"action": "role:deleted"})).json()["items"] == []
    await admin.put(f"/v1/users/{person.id}/roles", json={"roles": []})
    assert (await admin.delete(f"{ROLES}/x")).status_code == 204


async def test_a_role_that_is_being_given_is_in_use(admin, somebody, first):
    await admin.post(ROLES, json={"name": "x", "permissions": []})
    person = await somebody()
    hold = "SELECT FROM roles WHERE name = 'x' FOR SHARE"
    async with first(hold, f"INSERT INTO user_roles VALUES ('{person.id}', 'x')") as waiting:
        deletion = await waiting(admin.delete(f"{ROLES}/x"))
    answer = await deletion
    assert (answer.status_code, answer.json()["code"]) == (409, "role_in_use")


async def test_a_role_that_is_being_deleted_is_not_given(admin, somebody, first):
    await admin.post(ROLES, json={"name": "x", "permissions": []})
    person = await somebody()
    async with first("DELETE FROM roles WHERE name = 'x'") as waiting:
        url = f"/v1/users/{person.id}/roles"
        assignment = await waiting(admin.put(url, json={"roles": ["x", "customer"]}))
    answer = await assignment
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/roles/0"]
    assert (await person.client.get("/v1/me")).json()["roles"] == ["customer"]


async def test_of_a_deletion_and_an_assignment_at_once_one_wins(admin, somebody, other_instance):
    person = await somebody()
    headers = {"Authorization": admin.headers["Authorization"]}
    for _ in range(10):
        assert (await admin.post(ROLES, json={"name": "x", "permissions": []})).status_code == 201
        given, gone = await asyncio.gather(
            other_instance.put(f"/v1/users/{person.id}/roles", json={"roles": ["x"]}, headers=headers),
            admin.delete(f"{ROLES}/x"),
        )
        assert (given.status_code, gone.status_code) in {(200, 409), (422, 204)}
        await admin.put(f"/v1/users/{person.id}/roles", json={"roles": []})
        await admin.delete(f"{ROLES}/x")


async def test_a_patch_that_waited_does_not_bring_back_what_was_taken_away(admin, first):
    async with first(
        "UPDATE roles SET version = version + 1 WHERE name = 'manager'",
        "DELETE FROM role_permissions WHERE role_name = 'manager' AND permission = 'stock:write'",
    ) as waiting:
        patch = await waiting(admin.patch(f"{ROLES}/manager", json={"description": "Sells"}))
    answer = await patch
    assert answer.headers["etag"] == '"3"'
    assert answer.json()["permissions"] == ["products:read", "products:write"]
    assert (await admin.get(f"{ROLES}/manager")).json() == answer.json()


async def test_a_role_that_changes_keeps_nobody_from_registering(client, connection):
    async with connection.transaction():
        await connection.execute("SELECT FROM roles WHERE name = 'customer' FOR NO KEY UPDATE")
        body = {"email": "a@midrise.test", "password": "three green boats at dawn", "name": "A"}
        assert (await client.post("/v1/auth/register", json=body)).status_code == 201
