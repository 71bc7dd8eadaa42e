"""`/v1/auth/mfa/totp`: a second factor is set up, asked for, and switched off again."""

import asyncio

import pytest
from tests.conftest import PASSWORD
from tests.modules.identity.conftest import log_in
from tests.modules.identity.phone import TOTP, Phone, let_time_pass, set_up

pytestmark = pytest.mark.anyio

SOON_TOO_OLD = "UPDATE sessions SET created_at = created_at - interval '16 minutes'"


@pytest.fixture
async def person(somebody):
    return await somebody()


@pytest.fixture
async def phone(person, connection):
    return await set_up(person, connection)


def said(answer):
    return answer.status_code, answer.json()["code"]


def faults(answer):
    assert answer.status_code == 422, answer.text
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


async def test_an_app_is_set_up(person, connection):
    new = await person.client.post(TOTP)
    assert new.headers["cache-control"] == "no-store"
    secret = new.json()["secret"]
    assert f"secret={secret}" in new.json()["otpauth_uri"]
    assert (await log_in(person.client, person.email)).status_code == 200, (
        "nothing counts before it is confirmed"
    )
    answer = await person.client.post(f"{TOTP}/confirm", json={"otp": Phone(secret, []).code()})
    assert answer.headers["cache-control"] == "no-store"
    codes = answer.json()["recovery_codes"]
    assert len(set(codes)) == 10
    assert said(await log_in(person.client, person.email)) == (401, "otp_required")


async def test_a_secret_that_was_not_confirmed_is_replaced(person):
    first, second = [Phone((await person.client.post(TOTP)).json()["secret"], []) for _ in range(2)]
    assert first.secret != second.secret
    confirm = f"{TOTP}/confirm"
    assert faults(await person.client.post(confirm, json={"otp": first.code()})) == [("/otp", "wrong_otp")]
    assert (await person.client.post(confirm, json={"otp": second.code()})).status_code == 200


async def test_what_is_on_is_neither_replaced_nor_confirmed_again(person, phone):
    assert said(await person.client.post(TOTP)) == (409, "second_factor_on")
    again = await person.client.post(f"{TOTP}/confirm", json={"otp": phone.code()})
    assert said(again) == (409, "second_factor_on")


async def test_without_a_factor_there_is_nothing_to_confirm_or_switch_off(person):
    assert said(await person.client.post(f"{TOTP}/confirm", json={"otp": "287082"})) == (
        409,
        "second_factor_off",
    )
    off = {"password": PASSWORD, "otp": "287082"}
    assert said(await person.client.post(f"{TOTP}/disable", json=off)) == (409, "second_factor_off")


async def test_a_log_in_needs_a_code_on_every_instance(client, other_instance, person, phone):
    for instance in (client, other_instance):
        assert said(await log_in(instance, person.email)) == (401, "otp_required")
        assert said(await log_in(instance, person.email, otp=phone.wrong_code())) == (401, "invalid_otp")
    assert (await log_in(other_instance, person.email, otp=phone.code())).status_code == 200


async def test_who_lacks_the_password_learns_nothing_of_the_factor(client, person, phone):
    for code in (None, phone.code(), phone.wrong_code()):
        answer = await log_in(client, person.email, "wrong password", **({"otp": code} if code else {}))
        assert said(answer) == (401, "invalid_credentials")
    assert (await log_in(client, person.email, otp=phone.code())).status_code == 200


async def test_a_code_that_nobody_needs_does_no_harm(client, person):
    assert (await log_in(client, person.email, otp="287082")).status_code == 200


async def test_a_code_counts_once_and_none_before_it(client, person, phone):
    assert (await log_in(client, person.email, otp=phone.code(1))).status_code == 200
    for steps in (1, 0, -1):
        assert said(await log_in(client, person.email, otp=phone.code(steps))) == (401, "invalid_otp")


async def test_a_code_counts_once_however_many_use_it_at_once_on_several_instances(
    client, other_instance, person, phone
):
    code = phone.code()
    answers = await asyncio.gather(
        *(log_in(instance, person.email, otp=code) for instance in (client, other_instance) * 2)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_the_code_that_confirmed_does_not_log_in(client, person):
    phone = Phone((await person.client.post(TOTP)).json()["secret"], [])
    code = phone.code()
    assert (await person.client.post(f"{TOTP}/confirm", json={"otp": code})).status_code == 200
    assert said(await log_in(client, person.email, otp=code)) == (401, "invalid_otp")


async def test_a_recovery_code_counts_once_however_it_is_typed(client, other_instance, person, phone):
    first, second = phone.recovery_codes[:2]
    assert (await log_in(client, person.email, recovery_code=first)).status_code == 200
    assert said(await log_in(client, person.email, recovery_code=first)) == (401, "invalid_otp")
    typed = second.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    answers = await asyncio.gather(
        *(log_in(instance, person.email, recovery_code=typed) for instance in (client, other_instance) * 2)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_a_recovery_code_is_its_owners_alone(client, person, phone, somebody, connection):
    other = await somebody()
    await set_up(other, connection)
    for code in phone.recovery_codes[:2]:
        assert said(await log_in(client, other.email, recovery_code=code)) == (401, "invalid_otp")


async def test_wrong_codes_use_up_no_tries_of_the_password_and_end_soon(client, person, phone, connection):
    answers = [await log_in(client, person.email, otp=phone.wrong_code()) for _ in range(6)]
    assert [said(answer) for answer in answers[:5]] == [(401, "invalid_otp")] * 5
    assert said(answers[5]) == (429, "too_many_attempts")
    assert int(answers[5].headers["retry-after"]) >= 1
    assert said(await log_in(client, person.email)) == (401, "otp_required"), (
        "the password is tried all the same"
    )
    wait = "UPDATE log_in_attempts SET made_at = ARRAY(SELECT m - interval '2 s' FROM unnest(made_at) m)"
    await connection.execute(wait)
    assert (await log_in(client, person.email, otp=phone.code())).status_code == 200


async def test_right_codes_do_not_wait(client, person, phone, connection):
    for _ in range(8):
        assert (await log_in(client, person.email, otp=phone.code())).status_code == 200
        await let_time_pass(connection)


async def test_the_owner_switches_it_off(person, phone, client, connection):
    wrong_password = {"password": "wrong password", "otp": phone.code()}
    off = f"{TOTP}/disable"
    assert faults(await person.client.post(off, json=wrong_password)) == [("/password", "wrong_password")]
    wrong_code = {"password": PASSWORD, "otp": phone.wrong_code()}
    assert faults(await person.client.post(off, json=wrong_code)) == [("/otp", "wrong_otp")]
    answer = await person.client.post(off, json={"password": PASSWORD, "otp": phone.code()})
    assert answer.status_code == 204
    assert (await log_in(client, person.email)).status_code == 200
    assert await connection.fetchval("SELECT count(*) FROM recovery_codes") == 0


async def test_who_lost_the_app_switches_it_off_by_a_recovery_code(person, phone):
    body = {"password": PASSWORD, "otp": phone.recovery_codes[3]}
    assert (await person.client.post(f"{TOTP}/disable", json=body)).status_code == 204
    assert (await person.client.post(TOTP)).status_code == 200


async def test_an_old_log_in_sets_nothing_up(person, connection):
    secret = (await person.client.post(TOTP)).json()["secret"]
    await connection.execute(SOON_TOO_OLD)
    assert said(await person.client.post(TOTP)) == (403, "reauthentication_required")
    confirmed = await person.client.post(f"{TOTP}/confirm", json={"otp": Phone(secret, []).code()})
    assert said(confirmed) == (403, "reauthentication_required")


async def test_nobody_else_sets_anything_up(client):
    for path, body in (("", None), ("/confirm", {"otp": "1"}), ("/disable", {"password": "a", "otp": "1"})):
        assert (await client.post(TOTP + path, json=body)).status_code == 401


async def test_two_who_confirm_at_once_get_one_set_of_codes(person, other_instance, connection):
    secret = (await person.client.post(TOTP)).json()["secret"]
    body = {"otp": Phone(secret, []).code()}
    answers = await asyncio.gather(
        *(
            instance.post(f"{TOTP}/confirm", json=body, headers=person.headers)
            for instance in (person.client, other_instance)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert await connection.fetchval("SELECT count(*) FROM recovery_codes") == 10


async def test_a_factor_that_comes_while_the_password_is_verified_is_asked_for(
    client, person, first, connection
):
    await person.client.post(TOTP)
    changes = "SELECT FROM users FOR NO KEY UPDATE", "UPDATE second_factors SET confirmed_at = now()"
    async with first(*changes) as waiting:
        call = await waiting(log_in(client, person.email))
    assert said(await call) == (401, "otp_required")
    assert await connection.fetchval("SELECT count(*) FROM sessions") == 1


async def test_the_audit_knows_and_nothing_tells_the_secret(admin, person, phone, client, connection):
    await log_in(client, person.email, recovery_code=phone.recovery_codes[0])
    off = {"password": PASSWORD, "otp": phone.code()}
    await person.client.post(f"{TOTP}/disable", json=off)
    entries = (await admin.get("/v1/audit", params={"resource": f"user:{person.id}"})).json()["items"]
    actions = [entry["action"] for entry in entries if entry["action"].startswith("second_factor")]
    assert actions == [
        "second_factor:switched_off",
        "second_factor:recovery_code:used",
        "second_factor:switched_on",
    ]
    assert {entry["actor_id"] for entry in entries} == {person.id}


async def test_what_is_stored_shows_neither_secret_nor_codes(person, phone, connection):
    written = await connection.fetchval(
        "SELECT string_agg(t, '') FROM (SELECT f::text FROM second_factors f UNION ALL "
        "SELECT c::text FROM recovery_codes c UNION ALL SELECT e::text FROM audit_events e) AS all_of(t)"
    )
    for secret in (
        phone.secret,
        *phone.recovery_codes,
        *(code.replace("-", "") for code in phone.recovery_codes),
    ):
        assert secret not in written


async def test_who_missed_an_answer_gets_it_again(person, client, connection):
    def key(text):
        return {"Idempotency-Key": text}

    first, again = [await person.client.post(TOTP, headers=key("start")) for _ in range(2)]
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    phone = Phone(first.json()["secret"], [])
    body, confirm = {"otp": phone.code()}, f"{TOTP}/confirm"
    answers = [await person.client.post(confirm, json=body, headers=key("confirm")) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    await let_time_pass(connection)
    off = {"password": PASSWORD, "otp": phone.code()}
    for _ in range(2):
        answer = await person.client.post(f"{TOTP}/disable", json=off, headers=key("disable"))
        assert answer.status_code == 204
