"""`/v1/me`: what people see and change of themselves."""

import asyncio
from collections import Counter

import pytest

pytestmark = pytest.mark.anyio


async def test_a_person_sees_itself(somebody):
    person = await somebody(name="রহিমা খাতুন", roles=["customer", "support"])
    me = (await person.client.get("/v1/me")).json()
    assert (me["id"], me["email"], me["name"]) == (person.id, person.email, "রহিমা খাতুন")
    assert me["roles"] == ["customer", "support"]


async def test_a_visitor_has_no_self(client):
    for attempt in (client.get("/v1/me"), client.patch("/v1/me", json={}), client.get("/v1/me/permissions")):
        answer = await attempt
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_what_a_person_may_do_is_what_its_roles_allow_together(somebody, admin):
    async def permissions(client):
        return (await client.get("/v1/me/permissions")).json()["permissions"]

    customer, both = await somebody(), await somebody(roles=["manager", "support"])
    assert await permissions(customer.client) == []
    assert await permissions(both.client) == [
        *("audit:read", "products:read", "products:write", "roles:read", "stock:write", "users:read")
    ]
    declared = (await admin.get("/v1/permissions", params={"limit": 100})).json()["items"]
    assert await permissions(admin) == [permission["name"] for permission in declared]


async def test_a_permission_that_no_module_declares_any_more_allows_nothing(somebody, connection):
    person = await somebody(roles=["manager"])
    await connection.execute("INSERT INTO role_permissions VALUES ('manager', 'teapots:brew')")
    shown = (await person.client.get("/v1/me/permissions")).json()["permissions"]
    assert "teapots:brew" not in shown
    assert "products:write" in shown


async def test_what_a_patch_names_changes_and_the_rest_stays(customer):
    before = (await customer.get("/v1/me")).json()
    for patch in ({"name": "Ayesha"}, {"locale": "bn"}, {"name": "আয়েশা", "locale": "en"}):
        answer = await customer.patch("/v1/me", json=patch)
        assert answer.status_code == 200
        assert answer.json() == before | patch | {"updated_at": answer.json()["updated_at"]}
        assert answer.json()["updated_at"] > before["updated_at"]
        shown = await customer.get("/v1/me")
        assert (shown.json(), shown.headers["etag"]) == (answer.json(), answer.headers["etag"])
        before = answer.json()


@pytest.mark.parametrize("patch", [{}, {"locale": "en"}])
async def test_a_patch_that_changes_nothing_leaves_version_and_audit(customer, admin, patch):
    before = await customer.get("/v1/me")
    answer = await customer.patch("/v1/me", json=patch)
    assert (answer.json(), answer.headers["etag"]) == (before.json(), '"1"')
    assert (await admin.get("/v1/audit", params={"action": "user:changed"})).json()["items"] == []


@pytest.mark.parametrize(
    ("patch", "faults"),
    [
        ({"name": None, "locale": "fr"}, [("/name", "wrong_type"), ("/locale", "not_allowed")]),
        ({"name": "\t"}, [("/name", "wrong_format")]),
        ({"name": "x" * 201}, [("/name", "too_long")]),
        ({"email": "a@b"}, [("/password", "missing")]),
        ({"email": "a"}, [("/email", "too_short"), ("/password", "missing")]),
        (
            {"email": "nobody", "name": None},
            [("/name", "wrong_type"), ("/email", "wrong_format"), ("/password", "missing")],
        ),
        ({"email": "nobody", "password": "x"}, [("/email", "wrong_format")]),
        ({"roles": ["administrator"]}, [("/roles", "unknown_field")]),
        ({"is_active": False}, [("/is_active", "unknown_field")]),
    ],
)
async def test_a_bad_patch_is_named_and_changes_nothing(customer, patch, faults):
    answer = await customer.patch("/v1/me", json={"name": "Ayesha"} | patch)
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == faults
    assert (await customer.get("/v1/me")).headers["etag"] == '"1"'


async def test_a_known_state_is_not_sent_again(customer):
    tag = (await customer.get("/v1/me")).headers["etag"]
    for known in (tag, f"W/{tag}", f'"0", {tag}', "*"):
        answer = await customer.get("/v1/me", headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
    await customer.patch("/v1/me", json={"name": "Ayesha"})
    assert (await customer.get("/v1/me", headers={"If-None-Match": tag})).status_code == 200


async def test_a_new_role_is_another_state(customer, admin):
    me = await customer.get("/v1/me")
    await admin.put(f"/v1/users/{me.json()['id']}/roles", json={"roles": ["manager"]})
    seen = await customer.get("/v1/me", headers={"If-None-Match": me.headers["etag"]})
    assert (seen.status_code, seen.json()["roles"]) == (200, ["manager"])


async def test_a_change_for_an_old_state_is_refused(customer):
    tag = (await customer.get("/v1/me")).headers["etag"]
    assert (await customer.patch("/v1/me", json={"name": "A"}, headers={"If-Match": tag})).status_code == 200
    answer = await customer.patch("/v1/me", json={"name": "B"}, headers={"If-Match": tag})
    assert (answer.status_code, answer.headers["etag"]) == (412, '"2"')
    assert (await customer.get("/v1/me")).json()["name"] == "A"


async def test_no_update_is_lost_among_fifty_writers(customer):
    await customer.patch("/v1/me", json={"name": "0"})

    async def increment():
        read = await customer.get("/v1/me")
        patch = {"name": str(int(read.json()["name"]) + 1)}
        return (
            await customer.patch("/v1/me", json=patch, headers={"If-Match": read.headers["etag"]})
        ).status_code

    statuses = Counter(await asyncio.gather(*(increment() for _ in range(50))))
    assert statuses.keys() <= {200, 412}
    final = await customer.get("/v1/me")
    assert int(final.json()["name"]) == statuses[200] > 0
    assert final.headers["etag"] == f'"{statuses[200] + 2}"'


async def test_who_waited_for_other_roles_shows_them(somebody, first):
    person = await somebody()
    roles = f"INSERT INTO user_roles VALUES ('{person.id}', 'support')"
    version = f"UPDATE users SET version = version + 1 WHERE id = '{person.id}'"
    async with first(version, roles) as waiting:
        call = await waiting(person.client.patch("/v1/me", json={"name": "Ayesha"}))
    answer = await call
    assert answer.headers["etag"] == '"3"'
    assert answer.json()["roles"] == ["customer", "support"]


async def test_the_audit_has_both_values(customer, admin):
    me = (await customer.patch("/v1/me", json={"name": "Ayesha"})).json()
    (entry,) = (await admin.get("/v1/audit", params={"action": "user:changed"})).json()["items"]
    assert (entry["actor_id"], entry["resource"]) == (me["id"], f"user:{me['id']}")
    assert entry["changes"] == {"name": {"from": "Rahima Khatun", "to": "Ayesha"}}


@pytest.mark.parametrize("proof", [{"password": "four red kites at dusk"}, {"otp": "123456"}])
async def test_a_password_alone_is_no_change_and_says_so(somebody, proof):
    person = await somebody()
    answer = await person.client.patch("/v1/me", json=proof)
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [("/email", "missing")]
