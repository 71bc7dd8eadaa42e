"""`POST /v1/auth/register`."""

import asyncio
from collections import Counter

import pytest
from tests.conftest import PASSWORD
from tests.modules.identity.conftest import log_in, registration
from tests.modules.identity.users.test_model import QUADRATIC

pytestmark = pytest.mark.anyio

REGISTER = "/v1/auth/register"


async def refused(client, **fields):
    answer = await client.post(REGISTER, json=registration(**fields))
    assert answer.status_code == 422
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


async def test_who_registers_is_a_customer(client):
    body = registration(email="Rahima@Example.com")
    answer = await client.post(REGISTER, json=body)
    assert (answer.status_code, answer.headers["etag"]) == (201, '"1"')
    assert answer.headers["location"] == "/v1/me"
    shown = answer.json()
    assert shown.pop("id")
    assert shown.pop("created_at") == shown.pop("updated_at")
    assert shown == {
        "email": "Rahima@Example.com",
        "name": body["name"],
        "locale": "en",
        "roles": ["customer"],
        "is_active": True,
        "email_verified": False,
    }


async def test_every_fault_is_named_at_once(client):
    assert await refused(client, email="nobody", password="short", name=" ", admin=True) == [
        ("/name", "wrong_format"),
        ("/admin", "unknown_field"),
        ("/email", "wrong_format"),
        ("/password", "too_short"),
    ]
    assert await refused(client, email="nobody", password="short") == [
        ("/email", "wrong_format"),
        ("/password", "too_short"),
    ]
    answer = await client.post(REGISTER, json={})
    assert {fault["code"] for fault in answer.json()["errors"]} == {"missing"}
    assert len(answer.json()["errors"]) == 3


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"email": "a" * 255}, ("/email", "too_long")),
        ({"email": "\ufdfa@example.com"}, ("/email", "wrong_format")),
        ({"email": "a@b\nBcc: c@d"}, ("/email", "wrong_format")),
        ({"name": ""}, ("/name", "too_short")),
        ({"name": "x" * 201}, ("/name", "too_long")),
        ({"name": "Rahima\nKhatun"}, ("/name", "wrong_format")),
        ({"name": "Rahima\n"}, ("/name", "wrong_format")),
        ({"name": "Rahi\0ma"}, ("/name", "wrong_format")),
        ({"password": "x" * 11}, ("/password", "too_short")),
        ({"password": "🐟" * 129}, ("/password", "too_long")),
        ({"password": "x" * 2000}, ("/password", "too_long")),
        ({"password": "correct horse battery\0"}, ("/password", "nul_character")),
        ({"password": "password1234"}, ("/password", "password_too_weak")),
        ({"password": 123456789012}, ("/password", "wrong_type")),
        ({"roles": ["administrator"]}, ("/roles", "unknown_field")),
        ({"is_active": True}, ("/is_active", "unknown_field")),
    ],
)
async def test_a_bad_field_is_named(client, fields, fault):
    assert await refused(client, **fields) == [fault]


async def test_enormous_texts_are_refused_without_being_looked_into(client):
    assert await refused(client, email=QUADRATIC, name=QUADRATIC) == [
        ("/email", "too_long"),
        ("/name", "too_long"),
    ]


@pytest.mark.parametrize(
    "password",
    ["🐟🌊🦀🌙🐙⛵🦑🏝🐚🌧🦐🐋", "তিনটি সবুজ নৌকা ভোরে", "".join(chr(0x4E00 + 61 * n) for n in range(128))],
)
async def test_any_characters_make_a_password(client, password):
    body = registration(password=password)
    assert (await client.post(REGISTER, json=body)).status_code == 201
    assert (await log_in(client, body["email"], password)).status_code == 200


@pytest.mark.parametrize("again", ["RAHIMA@example.com", "ra\uff48ima@example.com", "rahima@EXAMPLE.com"])
async def test_an_address_is_taken_in_whatever_form(client, again):
    await client.post(REGISTER, json=registration(email="rahima@example.com"))
    answer = await client.post(REGISTER, json=registration(email=again))
    assert (answer.status_code, answer.json()["code"]) == (409, "email_taken")


async def test_of_many_who_want_an_address_at_once_one_gets_it(client, other_instance, connection):
    forms = ["rahima@example.com", "Rahima@Example.com", "ra\uff48ima@example.com", "RAHIMA@EXAMPLE.COM"]
    answers = await asyncio.gather(
        *(
            instance.post(REGISTER, json=registration(email=form))
            for form in forms
            for instance in (client, other_instance)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}
    assert await connection.fetchval("SELECT count(*) FROM users") == 1
    assert await connection.fetchval("SELECT count(*) FROM audit_events") == 1


async def test_registration_closes_and_opens_on_every_instance(client, other_instance, admin):
    await admin.put("/v1/config/registration.open", json={"value": False})
    for instance in (client, other_instance, admin):
        answer = await instance.post(REGISTER, json=registration())
        assert (answer.status_code, answer.json()["code"]) == (403, "registration_closed")
    await admin.delete("/v1/config/registration.open")
    assert (await other_instance.post(REGISTER, json=registration())).status_code == 201


async def test_a_dead_token_does_not_keep_anybody_from_registering(client):
    headers = {"Authorization": "Bearer nonsense"}
    assert (await client.post(REGISTER, json=registration(), headers=headers)).status_code == 201


async def test_the_audit_says_who_registered_and_not_with_what(client, admin, connection):
    user_id = (await client.post(REGISTER, json=registration())).json()["id"]
    (entry,) = (await admin.get("/v1/audit", params={"action": "user:registered"})).json()["items"]
    assert (entry["actor_id"], entry["resource"]) == (user_id, f"user:{user_id}")
    assert entry["changes"] == {"roles": ["customer"]}
    written = await connection.fetchval("SELECT string_agg(e::text, '') FROM audit_events e")
    assert PASSWORD not in written
    assert "$2b$" not in written


async def test_who_registers_somebody_else_is_named(admin):
    user_id = (await admin.post(REGISTER, json=registration())).json()["id"]
    (entry,) = (await admin.get("/v1/audit", params={"action": "user:registered"})).json()["items"]
    assert entry["resource"] == f"user:{user_id}"
    assert entry["actor_id"] == (await admin.get("/v1/me")).json()["id"]


async def test_a_refused_registration_leaves_nothing(client, connection):
    await client.post(REGISTER, json=registration(password="password1234"))
    assert await connection.fetchval("SELECT count(*) FROM users") == 0
    assert await connection.fetchval("SELECT count(*) FROM audit_events") == 0


async def test_no_password_is_in_the_database(client, connection):
    await client.post(REGISTER, json=registration())
    row = await connection.fetchval("SELECT u::text FROM users u")
    assert PASSWORD not in row
    assert "v1$" in row
