"""What the worker does with sessions, and a log-in where there is no room to hash anew."""

import pytest
from tests.conftest import PASSWORD, register

from midrise.app import assemble
from midrise.foundation.actor import SYSTEM
from midrise.foundation.errors import Unavailable
from midrise.modules.identity.sessions import service

pytestmark = pytest.mark.anyio

EXPIRED = """
INSERT INTO sessions
SELECT gen_random_uuid(), users.id, 0, '', '', '', now(), now(), now() - days * interval '1 day', NULL
FROM users, unnest($1::float[]) AS days
"""


@pytest.fixture
async def assembly(settings, database_url):
    assembly = assemble(settings, process="tests")
    for part in assembly.built:
        for start in part.start:
            await start()
    yield assembly
    await assembly.close()


@pytest.fixture
def identity(assembly):
    (identity,) = (part for part in assembly.built if part.session_source)
    return identity


async def test_the_worker_forgets_sessions_that_expired_a_week_ago(client, identity, connection, monkeypatch):
    await register(client)
    await connection.execute(EXPIRED, [-30, 0, 6.9, *(7 + number / 10 for number in range(1, 11))])
    monkeypatch.setattr(service, "_PURGED_AT_ONCE", 5)
    (purge,) = (job.run for job in identity.jobs if job.name == "sessions.purge_expired")
    for _ in range(2):
        await purge()
        assert await connection.fetchval("SELECT count(*) FROM sessions") == 3


async def test_whoever_logs_in_does_not_depend_on_room_to_hash_anew(
    client, start_application, assembly, identity, monkeypatch, connection
):
    email = await register(await start_application(password={"cost": 5}))

    async def full(password):
        raise Unavailable

    monkeypatch.setattr(assembly.house.passwords, "hash", full)
    assert await identity.services["sessions"].log_in(email, PASSWORD, actor=SYSTEM)
    assert "$2b$05$" in await connection.fetchval("SELECT password_hash FROM users")
