"""What tests of the middleware ask for."""

import contextlib
import secrets

import asyncpg
import pytest

HELD_COMMITS = """
CREATE OR REPLACE FUNCTION wait_to_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(20261128);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER wait_to_commit AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION wait_to_commit();
"""


@pytest.fixture
async def product(admin):
    sku = secrets.token_hex(8)
    body = {"sku": sku, "name": sku, "price": {"amount": 1, "currency": "BDT"}, "status": "active"}
    return (await admin.post("/v1/products", json=body)).json()


@pytest.fixture
async def uncached(start_application):
    """A visitor of an instance that can't reach the cache."""
    return await start_application(redis={"url": "redis://127.0.0.1:1"})


@pytest.fixture
async def held_commits(database_url):
    """Has every commit that wrote an audit entry wait until the block ends; gives whether one does."""
    connection = await asyncpg.connect(database_url)

    @contextlib.asynccontextmanager
    async def hold():
        await connection.execute(HELD_COMMITS)
        await connection.execute("SELECT pg_advisory_lock(20261128)")

        async def waits() -> bool:
            return await connection.fetchval("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted")

        try:
            yield waits
        finally:
            await connection.execute("SELECT pg_advisory_unlock(20261128)")

    yield hold
    await connection.execute("DROP FUNCTION IF EXISTS wait_to_commit CASCADE")
    await connection.close()
