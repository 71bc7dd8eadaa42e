"""`POST /v1/users`: accounts that are made for somebody."""

import pytest
from tests.conftest import PASSWORD
from tests.modules.identity.conftest import log_in, registration

pytestmark = pytest.mark.anyio

USERS = "/v1/users"


async def test_an_account_is_made_and_can_log_in(admin, client):
    body = registration(locale="bn")
    answer = await admin.post(USERS, json=body)
    assert answer.status_code == 201
    user = answer.json()
    assert (user["email"], user["name"], user["locale"]) == (body["email"], body["name"], "bn")
    assert (user["roles"], user["is_active"], user["email_verified"]) == (["customer"], True, False)
    assert (answer.headers["location"], answer.headers["etag"]) == (f"{USERS}/{user['id']}", '"1"')
    assert (await admin.get(answer.headers["location"])).json() == user
    assert (await log_in(client, body["email"])).status_code == 200


async def test_it_can_have_roles_and_be_disabled_from_the_start(admin, client):
    body = registration(roles=["support", "manager", "support"], is_active=False)
    user = (await admin.post(USERS, json=body)).json()
    assert (user["roles"], user["is_active"]) == (["manager", "support"], False)
    answer = await log_in(client, body["email"])
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


async def test_the_same_key_makes_one_account(admin, connection):
    body, headers = registration(), {"Idempotency-Key": "one account"}
    first, again = [await admin.post(USERS, json=body, headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json(), again.headers["idempotency-replayed"]) == (first.json(), "true")
    assert await connection.fetchval("SELECT count(*) FROM users WHERE email = $1", body["email"]) == 1


async def test_the_audit_says_who_made_it(admin, admin_id, audit_of):
    user = (await admin.post(USERS, json=registration())).json()
    (entry,) = await audit_of(user["id"])
    assert (entry["action"], entry["actor_id"]) == ("user:created", admin_id)
    assert entry["changes"] == {"roles": ["customer"]}


async def test_an_address_is_given_once_however_it_is_written(admin, somebody):
    person = await somebody()
    answer = await admin.post(USERS, json=registration(email=person.email.upper()))
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")


async def test_whoever_may_not_assign_roles_gives_none(keeper):
    assert (await keeper.client.post(USERS, json=registration())).status_code == 201
    answer = await keeper.client.post(USERS, json=registration(roles=["customer"]))
    assert answer.status_code == 403
    assert "roles:assign" in answer.json()["detail"]


async def test_nobody_makes_an_account_that_may_do_more_than_they(admin, keeper, connection):
    permissions = ["users:read", "users:write", "roles:assign"]
    assert (await admin.patch("/v1/roles/keeper", json={"permissions": permissions})).status_code == 200
    assert (await keeper.client.post(USERS, json=registration(roles=["keeper"]))).status_code == 201
    for role in ("administrator", "support", "manager"):
        answer = await keeper.client.post(USERS, json=registration(roles=["keeper", role]))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert await connection.fetchval("SELECT count(*) FROM users WHERE name = 'Rahima Khatun'") == 2


async def test_only_who_may_makes_accounts(client, somebody):
    assert (await client.post(USERS, json=registration())).status_code == 401
    for roles in (["customer"], ["manager"], ["support"]):
        answer = await (await somebody(roles=roles)).client.post(USERS, json=registration())
        assert answer.status_code == 403
        assert "users:write" in answer.json()["detail"]


async def test_every_bad_field_is_named(admin):
    body = {"email": "nobody", "password": "short", "name": " ", "locale": "fr", "is_active": "yes", "x": 1}
    answer = await admin.post(USERS, json=body)
    assert answer.status_code == 422
    assert {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]} == {
        "/email": "wrong_format",
        "/password": "too_short",
        "/name": "wrong_format",
        "/locale": "not_allowed",
        "/is_active": "wrong_type",
        "/x": "unknown_field",
    }


async def test_a_role_that_does_not_exist_is_named(admin, connection):
    answer = await admin.post(USERS, json=registration(roles=["manager", "captain"]))
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/roles/1"]


async def test_a_password_like_the_name_is_refused(admin):
    body = registration(name="Rahima Khatun Chowdhury", password="rahimakhatunchowdhury1")
    answer = await admin.post(USERS, json=body)
    assert [fault["code"] for fault in answer.json()["errors"]] == ["password_too_weak"]
    assert PASSWORD not in answer.text
