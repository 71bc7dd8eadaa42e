"""`PATCH /v1/me` with another address: it counts once it is verified, and the old one is told."""

import pytest
from tests.conftest import PASSWORD, register
from tests.modules.identity.conftest import log_in
from tests.modules.identity.mailbox import open_mailbox

pytestmark = pytest.mark.anyio

NEW = "rahima.new@midrise.test"


async def ask(person, email=NEW, **fields):
    return await person.client.patch("/v1/me", json={"email": email, "password": PASSWORD} | fields)


async def verify(client, token):
    return await client.post("/v1/auth/email/verify", json={"token": token})


def said(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_the_new_address_counts_once_it_is_verified(somebody, client, mailbox, emptier):
    person = await somebody()
    answer = await ask(person, name="Rahima the Second")
    assert (answer.status_code, answer.json()["email"]) == (200, person.email)
    assert answer.json()["name"] == "Rahima the Second"
    assert (await log_in(client, NEW)).status_code == 401
    assert await mailbox.subjects_to(NEW) == ["Confirm your new e-mail address"]
    assert "Your e-mail address is about to change" in await mailbox.subjects_to(person.email)

    assert (await verify(client, await mailbox.token_to(NEW))).status_code == 204
    me = (await person.client.get("/v1/me")).json()
    assert (me["email"], me["email_verified"]) == (NEW, True)
    assert (await log_in(client, NEW)).status_code == 200
    assert (await log_in(client, person.email)).status_code == 401
    assert "Your e-mail address was changed" in await mailbox.subjects_to(person.email)
    actions = await emptier.fetch(
        "SELECT action, changes::text FROM audit_events WHERE action LIKE 'user:email:%' ORDER BY id"
    )
    assert [row["action"] for row in actions] == ["user:email:requested", "user:email:changed"]
    assert "@" not in str(actions)


@pytest.mark.parametrize("password", ["wrong password here", ""])
async def test_a_wrong_password_changes_nothing(somebody, mailbox, password):
    person = await somebody()
    answer = await ask(person, password=password, name="Other")
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
        ("/password", "wrong_password")
    ]
    assert (await person.client.get("/v1/me")).json()["name"] != "Other"
    assert await mailbox.mails_to(NEW) == []
    assert len(await mailbox.mails_to(person.email)) == 1


async def test_an_address_that_is_taken_is_refused_at_once(somebody, client, mailbox):
    person = await somebody()
    other = await register(client)
    assert said(await ask(person, email=other.upper())) == (409, "email_taken")
    assert len(await mailbox.mails_to(other)) == 1
    assert len(await mailbox.mails_to(person.email)) == 1


async def test_an_address_that_was_taken_meanwhile_is_refused_in_the_end(somebody, client, mailbox):
    person = await somebody()
    await ask(person)
    token = await mailbox.token_to(NEW)
    await register(client, email=NEW)
    assert said(await verify(client, token)) == (409, "email_taken")
    assert (await person.client.get("/v1/me")).json()["email"] == person.email


async def test_a_newer_wish_makes_the_older_one_void(somebody, client, mailbox):
    person = await somebody()
    await ask(person)
    old = await mailbox.token_to(NEW)
    await ask(person, email="second@midrise.test")
    assert said(await verify(client, old)) == (422, "invalid_email_token")
    assert (await verify(client, await mailbox.token_to("second@midrise.test"))).status_code == 204


async def test_a_wish_that_was_taken_back_before_it_was_mailed_is_not_mailed(
    somebody, client, emptier, settings, tmp_path, connection
):
    """Who knows the old password must not get the account by a mail that is sent later."""
    person = await somebody()
    await ask(person)
    # As a reset does.
    await emptier.execute("UPDATE email_tokens SET spent_at = now() WHERE purpose = 'change'")
    async with open_mailbox(settings.model_copy(update={"home": tmp_path}), connection) as mailbox:
        assert await mailbox.mails_to(NEW) == []


async def test_another_spelling_of_the_own_address_is_a_change(somebody, client, mailbox):
    person = await somebody()
    spelt = person.email.upper()
    await ask(person, email=spelt)
    assert (await verify(client, await mailbox.token_to(spelt))).status_code == 204
    assert (await person.client.get("/v1/me")).json()["email"] == spelt


async def test_the_present_address_is_no_change(somebody, mailbox):
    person = await somebody()
    assert (await ask(person, email=person.email)).status_code == 200
    assert len(await mailbox.mails_to(person.email)) == 1


async def test_one_address_has_five_mails_an_hour_from_however_many_accounts(somebody, mailbox):
    people = [await somebody() for _ in range(3)]
    statuses = [(await ask(person)).status_code for person in people * 2]
    assert statuses == [200] * 5 + [429]
    assert len(await mailbox.mails_to(NEW)) <= 5


async def test_a_stale_version_asks_for_nothing(somebody, mailbox):
    person = await somebody()
    answer = await person.client.patch(
        "/v1/me", json={"email": NEW, "password": PASSWORD}, headers={"If-Match": '"99"'}
    )
    assert answer.status_code == 412
    assert await mailbox.mails_to(NEW) == []


async def test_the_token_of_a_reset_changes_no_address(somebody, client, mailbox):
    person = await somebody()
    await verify(client, await mailbox.token_to(person.email))
    await client.post("/v1/auth/password/forgot", json={"email": person.email})
    token = await mailbox.token_to(person.email, subject="Choose a new password")
    assert said(await verify(client, token)) == (422, "invalid_email_token")


async def test_a_changed_password_takes_back_the_wish(somebody, client, mailbox):
    """Whoever knew the old one may have asked."""
    person = await somebody()
    await ask(person)
    token = await mailbox.token_to(NEW)
    body = {"current_password": PASSWORD, "new_password": "four red kites at noon"}
    assert (await person.client.post("/v1/auth/password/change", json=body)).status_code == 204
    assert said(await verify(client, token)) == (422, "invalid_email_token")


async def test_an_address_that_an_administrator_sets_is_to_be_verified_and_the_old_one_is_told(
    admin, somebody, client, mailbox
):
    person = await somebody()
    await ask(person, email="other@midrise.test")
    wish = await mailbox.token_to("other@midrise.test")
    answer = await admin.patch(f"/v1/users/{person.id}", json={"email": NEW})
    assert (answer.json()["email"], answer.json()["email_verified"]) == (NEW, False)
    assert "Your e-mail address was changed" in await mailbox.subjects_to(person.email)
    assert said(await verify(client, wish)) == (422, "invalid_email_token")
    assert (await verify(client, await mailbox.token_to(NEW))).status_code == 204
    assert (await admin.get(f"/v1/users/{person.id}")).json()["email_verified"] is True


async def test_whom_an_administrator_registers_is_mailed_a_token(admin, client, mailbox):
    body = {"email": NEW, "password": PASSWORD, "name": "Rahima Khatun"}
    assert (await admin.post("/v1/users", json=body)).status_code == 201
    assert (await verify(client, await mailbox.token_to(NEW))).status_code == 204
