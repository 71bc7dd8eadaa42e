"""`/v1/auth/email/verify`: who reads the mail of an address proves it, once."""

import asyncio

import pytest
from structlog.testing import capture_logs
from tests.conftest import register

from midrise.app import assemble

pytestmark = pytest.mark.anyio

VERIFY = "/v1/auth/email/verify"
RESEND = "/v1/auth/email/verify/resend"


async def verify(client, token, **more):
    return await client.post(VERIFY, json={"token": token}, **more)


def said(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


INVALID = (422, "invalid_email_token")


async def test_whoever_registers_is_mailed_a_token_that_verifies(somebody, client, mailbox, emptier):
    person = await somebody()
    (mail,) = await mailbox.mails_to(person.email)
    before = await person.client.get("/v1/me")
    assert before.json()["email_verified"] is False
    token = await mailbox.token_to(person.email)
    assert mail.subject == "Confirm your e-mail address"
    assert f"http://127.0.0.1:8080/verify-email#token={token}" in mail.text

    assert (await verify(client, token)).status_code == 204
    after = await person.client.get("/v1/me")
    assert after.json()["email_verified"] is True
    assert after.headers["ETag"] != before.headers["ETag"]
    audit = await emptier.fetchrow("SELECT * FROM audit_events WHERE action = 'user:email:verified'")
    assert (str(audit["actor_id"]), audit["resource"]) == (person.id, f"user:{person.id}")
    assert person.email not in str(dict(audit))


async def test_a_token_works_once(somebody, client, mailbox):
    person = await somebody()
    token = await mailbox.token_to(person.email)
    await verify(client, token)
    answer = await verify(client, token)
    assert said(answer) == INVALID
    assert answer.json()["errors"][0]["pointer"] == "/token"


async def test_of_many_at_once_one_succeeds(somebody, client, other_instance, mailbox):
    person = await somebody()
    token = await mailbox.token_to(person.email)
    answers = await asyncio.gather(*(verify(each, token) for each in (client, other_instance) * 5))
    assert sorted(answer.status_code for answer in answers) == [204] + [422] * 9


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 200, "লেখা", "a b"])
async def test_what_was_never_mailed_is_refused(client, token):
    assert said(await verify(client, token)) == INVALID


async def test_a_token_expires(somebody, client, mailbox, emptier):
    person = await somebody()
    token = await mailbox.token_to(person.email)
    (left,) = await emptier.fetchrow("SELECT expires_at - now() FROM email_tokens")
    assert 2 < left.total_seconds() / 86400 <= 3
    await emptier.execute("UPDATE email_tokens SET expires_at = now()")
    assert said(await verify(client, token)) == INVALID


async def test_a_token_of_somebody_disabled_is_void(somebody, client, mailbox, emptier):
    person = await somebody()
    token = await mailbox.token_to(person.email)
    await emptier.execute("UPDATE users SET is_active = false WHERE id = $1", person.id)
    assert said(await verify(client, token)) == INVALID


async def test_a_newer_mail_makes_the_older_one_void(somebody, client, mailbox):
    person = await somebody()
    old = await mailbox.token_to(person.email)
    assert (await person.client.post(RESEND)).status_code == 202
    new = await mailbox.token_to(person.email)
    assert said(await verify(client, old)) == INVALID
    assert (await verify(client, new)).status_code == 204


async def test_the_verified_are_answered_the_same_and_mailed_nothing(somebody, client, mailbox):
    person = await somebody()
    await verify(client, await mailbox.token_to(person.email))
    assert (await person.client.post(RESEND)).status_code == 202
    assert len(await mailbox.mails_to(person.email)) == 1


async def test_visitors_can_not_have_mails_sent(client):
    assert (await client.post(RESEND)).status_code == 401


async def test_an_account_has_five_mails_an_hour_and_twenty_a_day(somebody, mailbox, emptier):
    person = await somebody()
    for _ in range(4):
        assert (await person.client.post(RESEND)).status_code == 202
    answer = await person.client.post(RESEND)
    assert said(answer) == (429, "too_many_mails")
    assert answer.headers["Retry-After"] == "3600"
    for _ in range(15):
        await emptier.execute("UPDATE email_tokens SET created_at = created_at - interval '61 minutes'")
        assert (await person.client.post(RESEND)).status_code == 202
    await emptier.execute("UPDATE email_tokens SET created_at = now() - interval '2 hours'")
    assert said(await person.client.post(RESEND)) == (429, "too_many_mails")
    await emptier.execute("UPDATE email_tokens SET created_at = now() - interval '25 hours'")
    assert (await person.client.post(RESEND)).status_code == 202
    await mailbox.delivered()


async def test_a_refused_registration_mails_nothing(client, mailbox):
    email = await register(client)
    body = {"email": email.upper(), "password": "three green boats at dawn", "name": "Other"}
    assert (await client.post("/v1/auth/register", json=body)).status_code == 409
    assert len(await mailbox.mails_to(email)) == 1
    assert await mailbox.mails_to(email.upper()) == []


async def test_a_repeated_attempt_mails_once(somebody, mailbox):
    person = await somebody()
    await mailbox.delivered()
    for _ in range(3):
        answer = await person.client.post(RESEND, headers={"Idempotency-Key": "once"})
        assert answer.status_code == 202
    assert len(await mailbox.mails_to(person.email)) == 2


async def test_mails_speak_the_person_s_language(somebody, client, mailbox):
    person = await somebody()
    await mailbox.delivered()
    await person.client.patch("/v1/me", json={"locale": "bn"})
    await person.client.post(RESEND)
    assert await mailbox.subjects_to(person.email) == [
        "আপনার ই-মেইল ঠিকানা নিশ্চিত করুন",
        "Confirm your e-mail address",
    ]


async def test_nothing_that_a_stranger_chose_stands_in_a_mail(client, mailbox):
    email = await register(client, name="Buy at https://evil.example")
    (mail,) = await mailbox.mails_to(email)
    assert "evil" not in mail.text + mail.subject


async def test_a_token_is_neither_stored_nor_logged(somebody, client, mailbox, emptier):
    with capture_logs() as lines:
        person = await somebody()
        token = await mailbox.token_to(person.email)
        await verify(client, token)
    tables = ("email_tokens", "pgqueuer", "pgqueuer_log", "audit_events", "idempotency_keys")
    stored = [str(await emptier.fetch(f"SELECT t::text FROM {table} t")) for table in tables]
    assert token not in f"{stored}{lines}"
    assert token.encode().hex() not in f"{stored}"


async def test_expired_tokens_are_forgotten_once_they_count_no_more(somebody, mailbox, emptier, settings):
    await somebody()
    await mailbox.delivered()
    assembly = assemble(settings, process="tests")
    (purge,) = [j for part in assembly.built for j in part.jobs if j.name == "email_tokens.purge_expired"]
    await emptier.execute("UPDATE email_tokens SET expires_at = now() - interval '23 hours'")
    await purge.run()
    assert await emptier.fetchval("SELECT count(*) FROM email_tokens") == 1
    await emptier.execute("UPDATE email_tokens SET expires_at = now() - interval '25 hours'")
    await purge.run()
    assert await emptier.fetchval("SELECT count(*) FROM email_tokens") == 0
    await assembly.close()
