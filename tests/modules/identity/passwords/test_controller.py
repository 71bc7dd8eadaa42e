"""`POST /v1/auth/password/change`: who may, what ends, and what is never kept."""

import asyncio

import pytest
from tests.conftest import PASSWORD
from tests.modules.identity.conftest import bearer, log_in, refresh
from tests.modules.identity.phone import set_up

pytestmark = pytest.mark.anyio

CHANGE = "/v1/auth/password/change"
NEW_PASSWORD = "seven slow trains at noon"
SOON_TOO_OLD = "UPDATE sessions SET created_at = created_at - interval '16 minutes'"


async def change(client, current=PASSWORD, new=NEW_PASSWORD, *, headers=None, **more):
    body = {"current_password": current, "new_password": new} | more
    return await client.post(CHANGE, json=body, headers=headers)


def faults(answer):
    assert answer.status_code == 422, answer.text
    return [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]


@pytest.fixture
async def person(somebody):
    return await somebody()


async def test_the_new_password_is_the_one_from_now_on(client, person):
    answer = await change(person.client)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await log_in(client, person.email, PASSWORD)).json()["code"] == "invalid_credentials"
    assert (await log_in(client, person.email, NEW_PASSWORD)).status_code == 200


async def test_other_sessions_end_at_once_on_every_instance_and_the_one_that_asks_goes_on(
    client, person, other_instance
):
    others = [(await log_in(instance, person.email)).json() for instance in (client, other_instance)]
    for tokens in others:
        answer = await other_instance.get("/v1/me", headers=bearer(tokens["access_token"]))
        assert answer.status_code == 200
    assert (await change(person.client)).status_code == 204
    for instance in (client, other_instance):
        for tokens in others:
            answer = await instance.get("/v1/me", headers=bearer(tokens["access_token"]))
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
            assert (await refresh(instance, tokens["refresh_token"])).status_code == 401
        assert (await instance.get("/v1/me", headers=person.headers)).status_code == 200
    assert (await refresh(client, person.tokens["refresh_token"])).status_code == 200


async def test_a_wrong_present_password_changes_nothing_and_does_not_log_out(client, person):
    assert faults(await change(person.client, "not the password at all")) == [
        ("/current_password", "wrong_password")
    ]
    assert (await person.client.get("/v1/me")).status_code == 200
    assert (await log_in(client, person.email)).status_code == 200


async def test_guesses_are_counted_with_those_of_log_ins(person):
    answers = [await change(person.client, f"guess number {number}") for number in range(12)]
    assert answers[0].status_code == 422
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (429, "too_many_attempts")
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "too_short"),
        ("x" * 129, "too_long"),
        ("passwordpassword", "password_too_weak"),
        ("rahima khatun 1", "password_too_weak"),
    ],
)
async def test_a_weak_new_password_is_refused(client, person, new, code):
    assert faults(await change(person.client, new=new)) == [("/new_password", code)]
    assert (await log_in(client, person.email)).status_code == 200


async def test_every_bad_field_is_named(person):
    answer = await person.client.post(CHANGE, json={"new_password": 1, "otp": "", "hint": "x"})
    assert sorted(faults(answer)) == [
        ("/current_password", "missing"),
        ("/hint", "unknown_field"),
        ("/new_password", "wrong_type"),
        ("/otp", "too_short"),
    ]


async def test_a_visitor_has_no_password_to_change(client):
    answer = await change(client)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_of_two_changes_at_once_one_counts(client, person, other_instance):
    news = [f"{NEW_PASSWORD} {number}" for number in range(4)]
    answers = await asyncio.gather(
        *(
            change(instance, new=new, headers=person.headers)
            for instance, new in zip((client, other_instance) * 2, news, strict=True)
        )
    )
    changed = [new for new, answer in zip(news, answers, strict=True) if answer.status_code == 204]
    assert len(changed) == 1
    assert {answer.status_code for answer in answers} <= {204, 422}
    assert (await log_in(client, person.email, changed[0])).status_code == 200


async def test_a_log_in_with_the_old_password_on_its_way_starts_no_session(client, person, first, connection):
    change_hash = f"UPDATE users SET password_hash = password_hash || 'x' WHERE id = '{person.id}'"
    async with first(change_hash) as waiting:
        call = await waiting(log_in(client, person.email))
    assert (await call).status_code == 401


async def test_a_change_that_is_not_committed_ends_no_session(client, person, failing_commits):
    other = (await log_in(client, person.email)).json()
    async with failing_commits("sessions"):
        assert (await change(person.client)).status_code == 503
    assert (await client.get("/v1/me", headers=bearer(other["access_token"]))).status_code == 200
    assert (await log_in(client, person.email)).status_code == 200


async def test_whoever_missed_the_answer_asks_again_with_the_same_key(client, person):
    headers = {"Idempotency-Key": "a new password"}
    first, again = [await change(person.client, headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (204, 204)
    assert again.headers["idempotency-replayed"] == "true"
    other = await change(person.client, new="nine tall cranes at dusk", headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await log_in(client, person.email, NEW_PASSWORD)).status_code == 200


async def test_a_second_factor_is_asked_for_when_the_log_in_was_long_ago(client, person, connection):
    phone = await set_up(person, connection)
    await connection.execute(SOON_TOO_OLD)
    answer = await change(person.client)
    assert (answer.status_code, answer.json()["code"]) == (403, "reauthentication_required")
    assert faults(await change(person.client, otp=phone.wrong_code())) == [("/otp", "wrong_otp")]
    assert (await change(person.client, otp=phone.code())).status_code == 204
    assert (await log_in(client, person.email, NEW_PASSWORD)).json()["code"] == "otp_required"


async def test_the_audit_tells_it_and_no_password(admin, person, connection):
    await change(person.client)
    (entry,) = (await admin.get("/v1/audit", params={"action": "user:password:changed"})).json()["items"]
    assert (entry["actor_id"], entry["resource"], entry["changes"]) == (person.id, f"user:{person.id}", {})
