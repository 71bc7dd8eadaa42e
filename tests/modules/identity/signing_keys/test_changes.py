"""Keys are rotated without a log-out, and a key that is revoked is dead at once: on several instances."""

import asyncio
import json
from base64 import urlsafe_b64decode

import asyncpg
import pytest
from tests.modules.identity.conftest import bearer, log_in, refresh, registration
from tests.servers import make_database

from midrise.app import assemble, create_application
from midrise.foundation.errors import NotFound
from midrise.foundation.security.secrets import MasterSecret, SealBroken
from midrise.modules.identity import KeyChanges, SecondFactors
from midrise.modules.identity.signing_keys import service
from midrise.settings import Settings

pytestmark = pytest.mark.anyio

JWKS, ME = "/.well-known/jwks.json", "/v1/me"
NO_CACHE = {"url": "redis://127.0.0.1:1"}


def kid_of(tokens):
    header = tokens["access_token"].partition(".")[0]
    return json.loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"]


async def statuses(tokens, *instances):
    answers = [await each.get(ME, headers=bearer(tokens["access_token"])) for each in instances]
    return {answer.status_code for answer in answers}


async def published(instance):
    return {key["kid"] for key in (await instance.get(JWKS)).json()["keys"]}


@pytest.fixture
async def own(sockets, worker_number):
    """The settings of a database of its own: keys outlive the tests of the others."""
    return {"url": await asyncio.to_thread(make_database, sockets, f"midrise_test_changes_{worker_number}")}


@pytest.fixture
async def instances(start_application, own):
    """Two with a cache, and one without."""
    with_cache = [await start_application(database=own) for _ in range(2)]
    return [*with_cache, await start_application(database=own, redis=NO_CACHE)]


@pytest.fixture
async def rows(own):
    connection = await asyncpg.connect(own["url"])
    yield connection
    await connection.close()


@pytest.fixture
async def assembled(settings, own):
    """What a command is made from: ``await assembled(master={…})``."""
    made = []

    def assembled(**sections):
        changed = Settings.model_validate(settings.model_dump() | {"database": own} | sections)
        made.append(assemble(changed, process="tests"))
        return made[-1].house.services

    async def connect():
        await made[-1].cache.ping()
        await made[-1].switch.start()

    assembled.connect = connect
    yield assembled
    for assembly in made:
        await assembly.close()


@pytest.fixture(params=["by a command", "by a worker"])
async def changes(request, assembled, instances):
    """One that turns the cache off for what it changes, and one that marks the generation in it."""
    services = assembled()
    if request.param == "by a worker":
        await assembled.connect()
    return services.get(KeyChanges)


@pytest.fixture
def logged_in(instances):
    """Logs somebody new in."""

    async def logged_in(instance=None):
        body = registration()
        instance = instance or instances[0]
        assert (await instance.post("/v1/auth/register", json=body)).status_code == 201
        return (await log_in(instance, body["email"])).json()

    return logged_in


async def test_a_rotation_logs_nobody_out_and_the_next_key_was_published_before(
    instances, changes, logged_in, monkeypatch
):
    monkeypatch.setattr(service, "_FRESH_SECONDS", 0)
    before = await logged_in()
    known = await published(instances[0])
    rotation = await changes.rotate(at_once=True)
    assert rotation.current_kid in known - {kid_of(before)}
    for instance in instances:
        after = await logged_in(instance)
        assert kid_of(after) == rotation.current_kid
        assert await statuses(after, *instances) == {200}
        assert await statuses(before, *instances) == {200}
        assert known < await published(instance)
        assert len(await published(instance)) == 3


async def test_a_key_signs_only_when_others_can_know_it(changes, rows, logged_in):
    tokens = await logged_in()
    early = await changes.rotate()
    assert early.current_kid == kid_of(tokens)
    assert 0 < early.wait_seconds <= 600
    await rows.execute("UPDATE signing_keys SET moved_at = moved_at - interval '601 seconds'")
    assert (await changes.rotate()).current_kid != kid_of(tokens)
    assert (await changes.rotate()).wait_seconds > 0


async def test_a_revoked_key_is_dead_at_once_on_every_instance_and_a_refresh_helps(
    instances, changes, logged_in
):
    tokens = await logged_in()
    assert await statuses(tokens, *instances) == {200}
    assert (await changes.revoke(kid_of(tokens))).kid == kid_of(tokens)
    assert await statuses(tokens, *instances) == {401}
    renewed = (await refresh(instances[1], tokens["refresh_token"])).json()
    assert kid_of(renewed) != kid_of(tokens)
    assert await statuses(renewed, *instances) == {200}
    assert await statuses(tokens, *instances) == {401}


async def test_a_retired_key_can_be_revoked_and_those_of_others_live_on(instances, changes, logged_in):
    tokens = await logged_in()
    await changes.rotate(at_once=True)
    kept = await logged_in()
    await changes.revoke(kid_of(tokens))
    await changes.revoke(kid_of(tokens))
    assert await statuses(tokens, *instances) == {401}
    assert await statuses(kept, *instances) == {200}
    with pytest.raises(NotFound):
        await changes.revoke("nothing")


@pytest.mark.parametrize("flushed", [True, False])
async def test_nothing_brings_a_revoked_key_back(instances, changes, logged_in, flush_cache, flushed):
    tokens = await logged_in()
    assert await statuses(tokens, *instances) == {200}
    await changes.revoke(kid_of(tokens))
    for _ in range(3):
        if flushed:
            await flush_cache()
        assert await statuses(tokens, *instances) == {401}


async def test_an_instance_learns_of_a_key_that_it_does_not_hold(instances, changes, logged_in):
    before = await logged_in()
    assert await statuses(before, *instances) == {200}
    for _ in range(3):
        await changes.rotate(at_once=True)
    tokens = await logged_in(instances[0])
    assert await statuses(tokens, instances[1]) == {200}
    assert await statuses(tokens, instances[2]) == {200}


async def test_two_rotations_at_once_are_two(changes, assembled, rows):
    await asyncio.gather(*(each.rotate(at_once=True) for each in (changes, assembled().get(KeyChanges))))
    states = await rows.fetch("SELECT state FROM signing_keys")
    assert sorted(row["state"] for row in states) == ["current", "next", "retired", "retired"]


async def test_the_worker_forgets_old_keys_rotates_in_time_and_keeps_a_next_one(
    instances, changes, rows, logged_in
):
    tokens = await logged_in()
    await rows.execute("DELETE FROM signing_keys WHERE state = 'next'")
    await changes.look_after()
    assert {key.state for key in await changes.list_keys()} == {"current", "next"}
    await rows.execute("UPDATE signing_keys SET moved_at = moved_at - interval '89 days'")
    await changes.look_after()
    assert await current(rows) == kid_of(tokens)
    await rows.execute("UPDATE signing_keys SET moved_at = moved_at - interval '2 days'")
    await changes.look_after()
    assert await current(rows) != kid_of(tokens)
    assert await statuses(tokens, *instances) == {200}
    await changes.look_after()
    assert kid_of(tokens) in {key.kid for key in await changes.list_keys()}
    await rows.execute("UPDATE signing_keys SET moved_at = now() - interval '2 hours' WHERE state = 'retired'")
    await changes.look_after()
    assert kid_of(tokens) not in {key.kid for key in await changes.list_keys()}


async def current(rows):
    return await rows.fetchval("SELECT kid FROM signing_keys WHERE state = 'current'")


async def test_the_audit_tells_of_it(changes, rows, logged_in):
    tokens = await logged_in()
    await changes.revoke(kid_of(tokens))
    entries = await rows.fetch("SELECT action, resource FROM audit_events WHERE action LIKE 'signing_key:%'")
    assert {(entry["action"], entry["resource"]) for entry in entries} == {
        ("signing_key:revoked", f"signing_key:{kid_of(tokens)}"),
        ("signing_key:rotated", f"signing_key:{await current(rows)}"),
    }


async def test_a_new_master_secret_takes_over_what_the_old_one_sealed(
    instances, assembled, start_application, own, settings, logged_in
):
    tokens = await logged_in()
    factor = await instances[0].post("/v1/auth/mfa/totp", headers=bearer(tokens["access_token"]))
    assert factor.status_code == 200
    new, old = MasterSecret.generate().text, settings.master.secret.get_secret_value()
    both = {"secret": new, "previous": old}
    between = await start_application(database=own, master=both)
    assert await statuses(tokens, between) == {200}
    services = assembled(master=both)
    for resealed in (len(await services.get(KeyChanges).list_keys()), 0):
        assert await services.get(KeyChanges).reseal() == resealed
    assert [await services.get(SecondFactors).reseal() for _ in range(2)] == [1, 0]
    after = await start_application(database=own, master={"secret": new})
    assert await statuses(tokens, after) == {200}
    changed = settings.model_dump() | {"database": own}
    app = create_application(Settings.model_validate(changed), process="tests")
    with pytest.raises(SealBroken):
        await app.start()
    await app.stop()
