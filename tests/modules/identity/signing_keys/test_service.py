"""The keys of all instances are those in the database."""

import asyncio

import asyncpg
import pytest
from tests.modules.identity.conftest import bearer, log_in, registration
from tests.servers import make_database

from midrise.app import create_application
from midrise.foundation.security.secrets import MasterSecret, SealBroken
from midrise.settings import Settings

pytestmark = pytest.mark.anyio

JWKS = "/.well-known/jwks.json"
INSTANCES = 4


@pytest.fixture
async def empty_database(sockets, worker_number):
    """The settings of a database of its own, in which nobody has made a key yet."""
    return {"url": await asyncio.to_thread(make_database, sockets, f"midrise_test_keys_{worker_number}")}


async def test_instances_that_start_at_once_on_no_keys_make_one(start_application, empty_database):
    instances = await asyncio.gather(*(start_application(database=empty_database) for _ in range(INSTANCES)))
    published = [(await instance.get(JWKS)).json() for instance in instances]
    assert published == [published[0]] * INSTANCES
    assert len(published[0]["keys"]) == 2

    one, other, *_ = instances
    body = registration()
    await one.post("/v1/auth/register", json=body)
    tokens = (await log_in(one, body["email"])).json()
    assert (await other.get("/v1/me", headers=bearer(tokens["access_token"]))).status_code == 200


async def test_a_key_that_another_is_just_making_is_taken(start_application, empty_database):
    one = await start_application(database=empty_database)
    connection = await asyncpg.connect(empty_database["url"])
    try:
        key = await connection.fetchrow("DELETE FROM signing_keys WHERE state = 'current' RETURNING *")
        async with connection.transaction():
            await connection.execute("INSERT INTO signing_keys VALUES ($1, $2, $3, $4, $5, $6)", *key)
            starting = asyncio.create_task(start_application(database=empty_database))
            async with asyncio.timeout(5):
                # What is waited for is in the server, which tells nobody.
                while not await connection.fetchval("SELECT bool_or(NOT granted) FROM pg_locks"):  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
        other = await starting
    finally:
        await connection.close()
    assert (await other.get(JWKS)).json() == (await one.get(JWKS)).json()


async def test_the_private_half_is_stored_sealed(client, connection):
    keys = await connection.fetch("SELECT * FROM signing_keys ORDER BY state")
    assert [key["state"] for key in keys] == ["current", "next"]
    assert all(len(key["sealed_private_key"]) > 32 for key in keys)


async def test_another_master_secret_does_not_open_the_keys(settings, client):
    other = {"master": {"secret": MasterSecret.generate().text}}
    app = create_application(Settings.model_validate(settings.model_dump() | other), process="tests")
    with pytest.raises(SealBroken):
        await app.start()
    await app.stop()
