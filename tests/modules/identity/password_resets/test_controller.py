"""`/v1/auth/password/forgot` and `reset`: the owner always gets in, and nobody learns who has an account."""

import asyncio

import pytest
from tests.conftest import PASSWORD
from tests.modules.identity.conftest import log_in, refresh, registration

pytestmark = pytest.mark.anyio

FORGOT = "/v1/auth/password/forgot"
RESET = "/v1/auth/password/reset"
NEW = "four red kites at noon"
INVALID = (422, "invalid_email_token")


async def forgot(client, email, **more):
    return await client.post(FORGOT, json={"email": email}, **more)


async def reset(client, token, password=NEW, **more):
    return await client.post(RESET, json={"token": token, "new_password": password}, **more)


async def reset_token(client, mailbox, email) -> str:
    assert (await forgot(client, email)).status_code == 202
    return await mailbox.token_to(email, subject="Choose a new password")


def said(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_new_password_ends_every_session_everywhere(somebody, client, other_instance, mailbox, emptier):
    person = await somebody()
    second = (await log_in(client, person.email)).json()
    token = await reset_token(client, mailbox, person.email)
    assert (await reset(client, token)).status_code == 204

    for instance in (client, other_instance):
        assert (await instance.get("/v1/me", headers=person.headers)).status_code == 401
        assert (await log_in(instance, person.email)).status_code == 401
        assert (await refresh(instance, second["refresh_token"])).status_code == 401
    assert (await log_in(other_instance, person.email, NEW)).status_code == 200
    assert "Your password was changed" in await mailbox.subjects_to(person.email)
    audit = await emptier.fetchrow("SELECT * FROM audit_events WHERE action = 'user:password:reset'")
    assert (str(audit["actor_id"]), audit["resource"]) == (person.id, f"user:{person.id}")


async def test_nobody_learns_who_has_an_account(somebody, client, mailbox, emptier):
    """P3: the request does the same for everybody, one job; all that differs is done behind the answer."""
    known, disabled = await somebody(), await somebody()
    await mailbox.delivered()
    await emptier.execute("UPDATE users SET is_active = false WHERE id = $1", disabled.id)
    await mailbox.delivered()
    emails = (known.email, disabled.email, "nobody@midrise.test", "", "no address")
    answers = [await forgot(client, email) for email in emails]
    differing = {"x-request-id", "consistency-token", "date", "server-timing"}
    shown = {
        (a.status_code, a.content, tuple((k, v) for k, v in a.headers.items() if k not in differing))
        for a in answers
    }
    assert len(shown) == 1
    assert answers[0].status_code == 202
    assert len(await mailbox.mails_to(known.email)) == 2
    assert len(await mailbox.mails_to(disabled.email)) == 1
    assert await mailbox.mails_to("nobody@midrise.test") == []


async def test_asking_reads_no_account(somebody, client, emptier, first):
    """P3, for times: it does not even wait for who changes the account."""
    person = await somebody()
    async with first(f"UPDATE users SET name = 'held' WHERE id = '{person.id}'"), asyncio.timeout(5):
        assert (await forgot(client, person.email)).status_code == 202
    assert await emptier.fetchval("SELECT count(*) FROM email_tokens WHERE purpose = 'reset'") == 0
    jobs = await emptier.fetch("SELECT entrypoint FROM pgqueuer ORDER BY id DESC LIMIT 1")
    assert jobs[0]["entrypoint"] == "identity.password_forgotten"


async def test_the_mail_goes_to_the_address_of_the_account(client, mailbox):
    await client.post("/v1/auth/register", json=registration(email="Mike@midrise.test"))
    await forgot(client, "\uff2d\uff29\uff2b\uff25@midrise.test")
    assert len(await mailbox.mails_to("Mike@midrise.test")) == 2


async def test_a_token_works_once_and_of_many_at_once_one_succeeds(somebody, client, other_instance, mailbox):
    person = await somebody()
    token = await reset_token(client, mailbox, person.email)
    answers = await asyncio.gather(*(reset(each, token) for each in (client, other_instance) * 4))
    assert sorted(answer.status_code for answer in answers) == [204] + [422] * 7
    assert said(await reset(client, token, "another blue house at night")) == INVALID


async def test_a_token_lives_for_half_an_hour(somebody, client, mailbox, emptier):
    person = await somebody()
    token = await reset_token(client, mailbox, person.email)
    row = await emptier.fetchrow("SELECT expires_at - now() AS left FROM email_tokens WHERE purpose = 'reset'")
    assert 25 * 60 < row["left"].total_seconds() <= 30 * 60
    await emptier.execute("UPDATE email_tokens SET expires_at = now()")
    assert said(await reset(client, token)) == INVALID
    assert (await log_in(client, person.email)).status_code == 200


async def test_a_newer_mail_makes_the_older_one_void(somebody, client, mailbox):
    person = await somebody()
    old = await reset_token(client, mailbox, person.email)
    new = await reset_token(client, mailbox, person.email)
    assert said(await reset(client, old)) == INVALID
    assert (await reset(client, new)).status_code == 204


async def test_other_tokens_reset_nothing(somebody, client, mailbox):
    person = await somebody()
    assert said(await reset(client, await mailbox.token_to(person.email))) == INVALID


@pytest.mark.parametrize(
    ("password", "code"),
    [("short", "too_short"), ("password1234", "password_too_weak"), ("x" * 129, "too_long")],
)
async def test_a_weak_password_is_named_and_spends_nothing(somebody, client, mailbox, password, code):
    person = await somebody()
    token = await reset_token(client, mailbox, person.email)
    answer = await reset(client, token, password)
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [("/new_password", code)]
    assert (await reset(client, token)).status_code == 204


async def test_a_reset_verifies_the_address_and_takes_back_what_a_thief_asked_for(somebody, client, mailbox):
    person = await somebody()
    await person.client.patch("/v1/me", json={"email": "thief@midrise.test", "password": PASSWORD})
    thief = await mailbox.token_to("thief@midrise.test")
    await reset(client, await reset_token(client, mailbox, person.email))
    assert said(await client.post("/v1/auth/email/verify", json={"token": thief})) == INVALID
    token = (await log_in(client, person.email, NEW)).json()["access_token"]
    me = (await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})).json()
    assert (me["email"], me["email_verified"]) == (person.email, True)


async def test_a_changed_address_makes_tokens_in_the_old_mailbox_void(somebody, client, mailbox):
    person = await somebody()
    token = await reset_token(client, mailbox, person.email)
    await person.client.patch("/v1/me", json={"email": "new@midrise.test", "password": PASSWORD})
    new = await mailbox.token_to("new@midrise.test")
    assert (await client.post("/v1/auth/email/verify", json={"token": new})).status_code == 204
    assert said(await reset(client, token)) == INVALID
    await forgot(client, person.email)
    assert (await mailbox.subjects_to(person.email)).count("Choose a new password") == 1


async def test_the_owner_gets_in_whatever_was_guessed(somebody, client, mailbox):
    person = await somebody()
    for _ in range(12):
        answer = await log_in(client, person.email, "a wrong guess again")
    assert answer.status_code == 429
    await reset(client, await reset_token(client, mailbox, person.email))
    assert (await log_in(client, person.email, NEW)).status_code == 200


async def test_an_account_has_five_mails_an_hour(somebody, client, mailbox):
    person = await somebody()
    answers = [(await forgot(client, person.email)).status_code for _ in range(8)]
    assert answers == [202] * 8
    assert (await mailbox.subjects_to(person.email)).count("Choose a new password") <= 5


async def test_an_address_is_limited(start_application):
    client = await start_application(rate={"limit": "10/60"})
    statuses = [(await forgot(client, "nobody@midrise.test")).status_code for _ in range(3)]
    assert statuses == [202, 202, 429]


async def test_a_repeated_attempt_has_one_effect(somebody, client, mailbox):
    person = await somebody()
    key = {"Idempotency-Key": "once"}
    for _ in range(3):
        assert (await forgot(client, person.email, headers=key)).status_code == 202
    assert (await mailbox.subjects_to(person.email)).count("Choose a new password") == 1
    token = await mailbox.token_to(person.email, subject="Choose a new password")
    for _ in range(2):
        assert (await reset(client, token, headers={"Idempotency-Key": "reset"})).status_code == 204
