"""Changes that a thief would make ask again for the second factor where the log-in is older than 15 minutes."""

import pytest
from tests.conftest import PASSWORD
from tests.modules.identity.conftest import bearer, log_in, refresh
from tests.modules.identity.phone import let_time_pass, set_up

pytestmark = pytest.mark.anyio

NEW_PASSWORD = "four red kites at noon"
OLDER = "UPDATE sessions SET created_at = created_at - interval '1 minute' * $1"


@pytest.fixture
async def person(somebody):
    return await somebody()


@pytest.fixture
async def phone(person, connection):
    return await set_up(person, connection)


async def change_password(person, **more):
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD} | more
    return await person.client.post("/v1/auth/password/change", json=body)


async def change_email(person, **more):
    body = {"email": "new@midrise.test", "password": PASSWORD} | more
    return await person.client.patch("/v1/me", json=body)


CHANGES = pytest.mark.parametrize("change", [change_password, change_email], ids=["password", "e-mail"])


def faults(answer):
    assert answer.status_code == 422, answer.text
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


@CHANGES
async def test_a_new_log_in_and_the_password_are_enough(person, phone, connection, change):
    await connection.execute(OLDER, 14)
    assert (await change(person)).is_success


@CHANGES
async def test_an_old_log_in_needs_a_code(person, phone, connection, change):
    await connection.execute(OLDER, 16)
    answer = await change(person)
    assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
    assert faults(await change(person, otp=phone.wrong_code())) == [("/otp", "wrong_otp")]
    assert (await change(person, otp=phone.code())).is_success


@CHANGES
async def test_a_recovery_code_does_as_well(person, phone, connection, change):
    await connection.execute(OLDER, 16)
    assert (await change(person, otp=phone.recovery_codes[0])).is_success
    await let_time_pass(connection)
    again = await log_in(person.client, person.email, recovery_code=phone.recovery_codes[0])
    assert again.status_code == 401


@CHANGES
async def test_who_has_no_second_factor_needs_the_password_alone(person, connection, change):
    await connection.execute(OLDER, 1000)
    assert (await change(person)).is_success


async def test_a_refresh_makes_no_session_younger(client, person, phone, connection):
    await connection.execute(OLDER, 16)
    tokens = (await refresh(client, person.tokens["refresh_token"])).json()
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    headers = bearer(tokens["access_token"])
    answer = await client.post("/v1/auth/password/change", json=body, headers=headers)
    assert answer.json()["code"] == "reauthentication_required"


async def test_a_reset_leaves_the_second_factor_on(client, person, phone, mailbox):
    await client.post("/v1/auth/password/forgot", json={"email": person.email})
    token = await mailbox.token_to(person.email, subject="Choose a new password")
    await client.post("/v1/auth/password/reset", json={"token": token, "new_password": NEW_PASSWORD})
    answer = await log_in(client, person.email, NEW_PASSWORD)
    assert (answer.status_code, answer.json()["code"]) == (401, "otp_required")
    assert (await log_in(client, person.email, NEW_PASSWORD, otp=phone.code())).status_code == 200
