import asyncio

import pytest
from sqlalchemy import BigInteger, bindparam, func, select
from tests.conftest import PASSWORD, register

from midrise.foundation.database import Database, PoolSettings, Statement, WriteUnit
from midrise.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio

LOCK = Statement(select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger))))


@pytest.fixture
async def database(database_url):
    database = Database.on_one_server(PoolSettings(database_url, "tests write once"))
    yield database
    await database.close()


async def test_work_that_fell_to_a_deadlock_is_done_again(database: Database):
    both_hold_one = asyncio.Barrier(2)
    tries: list[int] = []

    def locking(first: int, second: int):
        async def work(tx: WriteUnit) -> int:
            tries.append(first)
            await tx.value(LOCK, number=first)
            if len(tries) <= 2:
                await both_hold_one.wait()
            await tx.value(LOCK, number=second)
            return first

        return work

    done = await asyncio.gather(
        database.write_once(None, int, locking(1, 2)), database.write_once(None, int, locking(2, 1))
    )
    assert done == [1, 2]
    assert len(tries) == 3


FALL_ONCE = """
CREATE SEQUENCE falls;
CREATE FUNCTION fall_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    -- What a sequence gave is not rolled back.
    IF nextval('falls') = 1 THEN RAISE SQLSTATE '40P01'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fall_once BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION fall_once();
"""


@pytest.mark.parametrize(
    ("table", "path", "made", "change"),
    [
        (
            *("products", "/v1/products/{id}"),
            {"sku": "MUG", "name": "Mug", "price": {"amount": 1, "currency": "BDT"}},
            {"name": "Cup"},
        ),
        (
            *("roles", "/v1/roles/{name}"),
            {"name": "clerk", "description": "", "permissions": []},
            {"description": "At the desk"},
        ),
        (
            *("users", "/v1/users/{id}"),
            {"email": "rahima@midrise.test", "name": "Rahima", "password": "three green boats at dawn"},
            {"name": "Rahima Khatun"},
        ),
    ],
    ids=["a product", "a role", "a user"],
)
async def test_so_is_a_change_that_a_client_asks_for(admin, emptier, table, path, made, change):
    answer = await admin.post(path.rpartition("/")[0], json=made)
    assert answer.status_code == 201, answer.text
    await emptier.execute(FALL_ONCE.format(table=table))
    try:
        changed = await admin.patch(path.format(**answer.json()), json=change)
        falls = await emptier.fetchval("SELECT last_value FROM falls")
    finally:
        await emptier.execute("DROP FUNCTION fall_once CASCADE; DROP SEQUENCE falls")
    assert (changed.status_code, falls > 1) == (200, True), changed.text
    assert changed.json() | change == changed.json()


@pytest.mark.parametrize(
    ("table", "method", "path", "status"),
    [
        ("users", "PATCH", "/v1/me", 200),
        ("sessions", "POST", "/v1/auth/refresh", 200),
        ("sessions", "POST", "/v1/auth/logout", 204),
        ("sessions", "POST", "/v1/auth/logout-all", 204),
    ],
    ids=["one's profile", "a refresh", "a log-out", "a log-out everywhere"],
)
async def test_so_is_what_people_do_with_their_own(client, emptier, table, method, path, status):
    email = await register(client)
    proof = {"email": email, "password": PASSWORD}
    tokens = (await client.post("/v1/auth/login", json=proof)).json()
    bodies = {"/v1/me": {"name": "Rahima"}, "/v1/auth/refresh": {"refresh_token": tokens["refresh_token"]}}
    await emptier.execute(FALL_ONCE.format(table=table))
    try:
        answer = await client.request(
            method,
            path,
            json=bodies.get(path),
            headers={"Authorization": f"Bearer {tokens['access_token']}"},
        )
        falls = await emptier.fetchval("SELECT last_value FROM falls")
    finally:
        await emptier.execute("DROP FUNCTION fall_once CASCADE; DROP SEQUENCE falls")
    assert (answer.status_code, falls > 1) == (status, True), answer.text


async def test_other_trouble_is_told_at_once(database: Database):
    tries = 0

    async def fail(tx: WriteUnit) -> None:
        nonlocal tries
        tries += 1
        raise Unavailable

    with pytest.raises(Unavailable):
        await database.write_once(None, type(None), fail)
    assert tries == 1
