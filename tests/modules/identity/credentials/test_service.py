"""Who is logged in proves again who they are, before a change that a thief would make."""

import base64
from uuid import UUID

import pytest
from tests.conftest import PASSWORD
from tests.modules.identity.conftest import log_in
from tests.modules.identity.phone import set_up

from midrise.app import assemble
from midrise.foundation.actor import Actor
from midrise.foundation.errors import Invalid
from midrise.modules.identity.credentials.model import ReauthenticationRequired
from midrise.modules.identity.log_in_attempts.model import TooManyAttempts
from midrise.modules.identity.proofs import build_proofs
from midrise.modules.identity.sessions.repository import PostgresSessions
from midrise.modules.identity.users.repository import PostgresUsers

pytestmark = pytest.mark.anyio

OLDER = "UPDATE sessions SET created_at = created_at - interval '1 minute' * $1"


@pytest.fixture
async def proofs(settings, database_url):
    assembly = assemble(settings, process="tests")
    yield build_proofs(assembly.house, users=PostgresUsers(), sessions=PostgresSessions())
    await assembly.close()


@pytest.fixture
def step_up(proofs):
    return proofs.step_up


@pytest.fixture
async def person(somebody):
    return await somebody()


@pytest.fixture
def actor(person):
    session_id = UUID(bytes=base64.urlsafe_b64decode(person.tokens["refresh_token"] + "==")[1:17])
    return Actor(address="127.0.0.1", user_id=UUID(person.id), session_id=session_id)


@pytest.fixture
async def phone(person, connection):
    return await set_up(person, connection)


async def refused(call):
    """What is said to be wrong with one field."""
    with pytest.raises(Invalid) as told:
        await call
    (fault,) = told.value.faults
    return fault.pointer, fault.code


@pytest.mark.parametrize("minutes", [0, 14, 16, 1000])
async def test_without_a_second_factor_the_password_is_enough(step_up, actor, connection, minutes):
    await connection.execute(OLDER, minutes)
    proved = await step_up.require(actor, password=PASSWORD, otp=None)
    assert proved.user_id == actor.user_id


async def test_a_wrong_password_is_a_fault_of_its_field(step_up, actor):
    wrong = step_up.require(actor, password="wrong password", otp=None)
    assert await refused(wrong) == ("/password", "wrong_password")
    elsewhere = step_up.require(actor, password="", otp=None, pointer="/current_password")
    assert await refused(elsewhere) == ("/current_password", "wrong_password")


async def test_with_one_an_old_log_in_needs_a_code_as_well(step_up, actor, phone, connection):
    await step_up.require(actor, password=PASSWORD, otp=None)
    await connection.execute(OLDER, 16)
    with pytest.raises(ReauthenticationRequired):
        await step_up.require(actor, password=PASSWORD, otp=None)
    assert await refused(step_up.require(actor, password=PASSWORD, otp=phone.wrong_code())) == (
        "/otp",
        "wrong_otp",
    )
    code = phone.code()
    await step_up.require(actor, password=PASSWORD, otp=code)
    assert await refused(step_up.require(actor, password=PASSWORD, otp=code)) == ("/otp", "wrong_otp")
    await step_up.require(actor, password=PASSWORD, otp=phone.recovery_codes[0])


async def test_a_code_that_is_given_is_checked_however_new_the_log_in_is(step_up, actor, phone):
    wrong = step_up.require(actor, password=PASSWORD, otp=phone.wrong_code())
    assert await refused(wrong) == ("/otp", "wrong_otp")


async def test_a_code_does_not_replace_the_password(step_up, actor, phone):
    wrong = step_up.require(actor, password="wrong password", otp=phone.code())
    assert await refused(wrong) == ("/password", "wrong_password")
    await step_up.require(actor, password=PASSWORD, otp=phone.code())


async def test_a_program_without_a_session_has_no_fresh_log_in(step_up, actor):
    with pytest.raises(ReauthenticationRequired):
        await step_up.require_fresh(Actor(user_id=actor.user_id))
    await step_up.require_fresh(actor)


async def test_guesses_here_and_at_log_ins_are_counted_together(step_up, actor, client, person):
    for _ in range(5):
        await refused(step_up.require(actor, password="wrong password", otp=None))
        assert (await log_in(client, person.email, "wrong password")).status_code == 401
    with pytest.raises(TooManyAttempts):
        await step_up.require(actor, password=PASSWORD, otp=None)


async def test_a_right_password_here_ends_the_waiting(step_up, actor):
    for _ in range(3):
        for _ in range(9):
            await refused(step_up.require(actor, password="wrong password", otp=None))
        await step_up.require(actor, password=PASSWORD, otp=None)


async def test_the_worker_forgets_what_is_a_day_old(proofs, client, person, connection):
    for email in (person.email, "nobody@midrise.test"):
        await log_in(client, email, "wrong password")
    assert await connection.fetchval("SELECT count(*) FROM log_in_attempts") == 3
    await proofs.attempts.purge()
    assert await connection.fetchval("SELECT count(*) FROM log_in_attempts") == 3
    await connection.execute("UPDATE log_in_attempts SET last_at = last_at - interval '25 hours'")
    await proofs.attempts.purge()
    assert await connection.fetchval("SELECT count(*) FROM log_in_attempts") == 0
