"""`PATCH /v1/users/{id}`: what changes, who may change whom, and what ends at once."""

import asyncio
from collections import Counter

import pytest
from tests.conftest import PASSWORD
from tests.modules.identity.conftest import bearer, log_in, refresh

from midrise.foundation.ids import new_id

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "seven slow trains at noon"
TAKEOVERS = (
    {"email": "taken.over@midrise.test"},
    {"password": NEW_PASSWORD},
    {"is_active": False},
    {"name": "Somebody Else"},
)


async def change(client, user_id, *, headers=None, **fields):
    return await client.patch(f"/v1/users/{user_id}", json=fields, headers=headers)


async def test_fields_change_and_the_rest_stays(admin, somebody):
    person = await somebody()
    before = (await person.client.get("/v1/me")).json()
    answer = await change(admin, person.id, name="Karim", locale="bn", email="karim@midrise.test")
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    after = answer.json()
    assert (after["name"], after["locale"], after["email"]) == ("Karim", "bn", "karim@midrise.test")
    assert {name for name in after if after[name] != before[name]} == {"name", "locale", "email", "updated_at"}
    assert (await person.client.get("/v1/me")).json() == after


async def test_another_address_has_not_been_verified_another_spelling_has(admin, somebody, connection):
    person = await somebody()
    await connection.execute("UPDATE users SET email_verified = true")
    assert (await change(admin, person.id, email=person.email.upper())).json()["email_verified"] is True
    assert (await change(admin, person.id, email="new@midrise.test")).json()["email_verified"] is False


async def test_a_new_address_logs_in_and_the_old_one_is_free(admin, client, somebody):
    person = await somebody()
    await change(admin, person.id, email="new@midrise.test")
    assert (await log_in(client, "new@midrise.test")).status_code == 200
    assert (await log_in(client, person.email)).status_code == 401
    await somebody(email=person.email)


async def test_an_address_of_another_is_taken(admin, somebody):
    person, other = await somebody(), await somebody()
    answer = await change(admin, person.id, email=other.email.title())
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")


async def test_the_same_again_leaves_version_and_audit(admin, somebody, audit_of):
    person = await somebody()
    answer = await change(admin, person.id, name="Rahima Khatun", is_active=True, email=person.email)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert [entry["action"] for entry in await audit_of(person.id)] == ["user:registered"]


async def test_the_audit_has_what_changed_and_no_password(admin, admin_id, somebody, audit_of):
    person = await somebody()
    await change(admin, person.id, name="Karim", is_active=False, password=NEW_PASSWORD)
    password_set, changed, _ = await audit_of(person.id)
    assert (password_set["action"], password_set["changes"]) == ("user:password:set", {})
    assert (changed["action"], changed["actor_id"]) == ("user:changed", admin_id)
    assert changed["changes"] == {
        "name": {"from": "Rahima Khatun", "to": "Karim"},
        "is_active": {"from": True, "to": False},
    }


async def test_a_disabled_user_is_out_at_once_on_every_instance(admin, client, somebody, other_instance):
    person = await somebody()
    second = (await log_in(other_instance, person.email)).json()
    assert (await other_instance.get("/v1/me", headers=person.headers)).status_code == 200
    assert (await change(admin, person.id, is_active=False)).json()["is_active"] is False
    for instance in (client, other_instance):
        for tokens in (person.tokens, second):
            answer = await instance.get("/v1/me", headers=bearer(tokens["access_token"]))
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            assert (await refresh(instance, tokens["refresh_token"])).status_code == 401
        assert (await log_in(instance, person.email)).json()["code"] == "invalid_credentials"


async def test_who_is_enabled_again_logs_in_again_and_old_tokens_stay_dead(admin, client, somebody):
    person = await somebody()
    await change(admin, person.id, is_active=False)
    await change(admin, person.id, is_active=True)
    assert (await client.get("/v1/me", headers=person.headers)).status_code == 401
    assert (await refresh(client, person.tokens["refresh_token"])).status_code == 401
    assert (await log_in(client, person.email)).status_code == 200


async def test_a_log_in_under_way_does_not_outlive_the_end_of_the_account(client, somebody, first, connection):
    person = await somebody()
    disable = f"UPDATE users SET is_active = false WHERE id = '{person.id}'"
    async with first(disable) as waiting:
        call = await waiting(log_in(client, person.email))
    assert (await call).status_code == 401


async def test_a_password_that_is_set_ends_every_session(admin, client, somebody, other_instance):
    person = await somebody()
    assert (await change(admin, person.id, password=NEW_PASSWORD)).status_code == 200
    for instance in (client, other_instance):
        assert (await instance.get("/v1/me", headers=person.headers)).status_code == 401
        assert (await refresh(instance, person.tokens["refresh_token"])).status_code == 401
    assert (await log_in(client, person.email, PASSWORD)).status_code == 401
    assert (await log_in(client, person.email, NEW_PASSWORD)).status_code == 200


async def test_a_password_is_measured_against_the_name_that_stays_and_the_address_that_comes(admin, somebody):
    person = await somebody(name="Chowdhury Abdul Karim")
    for fields in (
        {"password": "chowdhuryabdulkarim7"},
        {"password": "monsoonriverboats1", "email": "monsoonriverboats@midrise.test"},
    ):
        answer = await change(admin, person.id, **fields)
        assert answer.status_code == 422
        assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
            ("/password", "password_too_weak")
        ]


@pytest.mark.parametrize("fields", TAKEOVERS, ids=lambda fields: next(iter(fields)))
async def test_nobody_gets_at_somebody_who_may_do_more(keeper, admin, admin_id, somebody, fields):
    support = await somebody(roles=["support", "customer"])
    for target in (admin_id, support.id):
        before = (await admin.get(f"/v1/users/{target}")).json()
        answer = await change(keeper.client, target, **fields)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert (await admin.get(f"/v1/users/{target}")).json() == before
    assert (await support.client.get("/v1/me")).status_code == 200
    customer, equal = await somebody(), await somebody(roles=["keeper"])
    for target in (customer.id, equal.id):
        assert (await change(keeper.client, target, name="Karim")).status_code == 200


async def test_a_role_that_is_about_to_get_more_protects_already(keeper, somebody, first):
    person = await somebody()
    more = f"INSERT INTO user_roles VALUES ('{person.id}', 'administrator')"
    lock = f"UPDATE users SET version = 2 WHERE id = '{person.id}'"
    async with first(lock, more) as waiting:
        call = await waiting(change(keeper.client, person.id, password=NEW_PASSWORD))
    assert (await call).status_code == 403


async def test_ones_own_address_and_password_need_the_present_password(admin, admin_id, keeper):
    for client, user_id in ((admin, admin_id), (keeper.client, keeper.id)):
        for fields in ({"email": "other@midrise.test"}, {"password": NEW_PASSWORD}):
            answer = await change(client, user_id, **fields)
            assert (answer.status_code, answer.json()["code"]) == (403, "own_account")
        me = (await client.get("/v1/me")).json()
        answer = await change(client, user_id, name="Me", email=me["email"])
        assert (answer.status_code, answer.json()["name"]) == (200, "Me")


async def test_the_last_administrator_stays_active(admin, admin_id, somebody, connection):
    await somebody(roles=["administrator"])
    other = await connection.fetchval("SELECT id::text FROM users WHERE name = 'Rahima Khatun'")
    assert (await change(admin, other, is_active=False)).status_code == 200
    answer = await change(admin, admin_id, is_active=False)
    assert (answer.status_code, answer.json()["code"]) == (409, "last_administrator")
    assert (await admin.get("/v1/me")).json()["is_active"] is True


async def test_two_administrators_who_disable_each_other_at_once_leave_one(client, other_instance, somebody):
    one, two = await somebody(roles=["administrator"]), await somebody(roles=["administrator"])
    answers = await asyncio.gather(
        client.patch(f"/v1/users/{two.id}", json={"is_active": False}, headers=one.headers),
        other_instance.patch(f"/v1/users/{one.id}", json={"is_active": False}, headers=two.headers),
    )
    left = [person for person in (one, two) if (await person.client.get("/v1/me")).status_code == 200]
    assert Counter(answer.status_code for answer in answers)[200] == 1
    assert len(left) == 1


async def test_a_stale_tag_changes_nothing(admin, somebody):
    person = await somebody()
    await change(admin, person.id, name="Karim")
    answer = await change(admin, person.id, name="Salma", headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.headers["etag"]) == (412, '"2"')
    answer = await change(admin, person.id, name="Salma", headers={"If-Match": '"2"'})
    assert (answer.status_code, answer.json()["name"]) == (200, "Salma")


async def test_a_user_that_does_not_exist_is_not_found(admin):
    for fields in ({"name": "Karim"}, {"password": NEW_PASSWORD}):
        assert (await change(admin, new_id(), **fields)).status_code == 404


@pytest.mark.parametrize("email", ["not an address", " x ", "a@b@c", "a b@example.com", "x" * 254, "বাংলা"])
async def test_what_is_no_address_is_refused(admin, somebody, email):
    person = await somebody()
    answer = await change(admin, person.id, email=email)
    assert (answer.status_code, faults_of(answer)) == (422, {"/email": "wrong_format"})
    answer = await change(admin, person.id, email=email, password="password1234")
    assert faults_of(answer) == {"/email": "wrong_format", "/password": "password_too_weak"}


async def test_every_bad_field_is_named_and_null_is_none_of_them(admin, somebody):
    person = await somebody()
    answer = await change(admin, person.id, email="x", password="x", name=None, roles=[])
    assert faults_of(answer) == {
        "/email": "too_short",
        "/password": "too_short",
        "/name": "wrong_type",
        "/roles": "unknown_field",
    }


def faults_of(answer) -> dict[str, str]:
    return {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}
