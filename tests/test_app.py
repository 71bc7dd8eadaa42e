"""The application put together: what holds whatever module a call belongs to."""

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from structlog.testing import capture_logs

from midrise.app import SettingMissing, assemble, create_administrator, create_application
from midrise.modules.identity.users.model import EmailTaken
from midrise.settings import Settings
from tests.conftest import PASSWORD
from tests.foundation.waiting import until

pytestmark = pytest.mark.anyio

MUG = {"sku": "MUG-1", "name": "Blue mug", "price": {"amount": 1999, "currency": "BDT"}, "status": "active"}
SHOP = "https://shop.example"


@contextlib.asynccontextmanager
async def locked(connection: asyncpg.Connection, table: str) -> AsyncIterator[None]:
    """Nobody else can use the table while the block runs."""
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
    try:
        yield
    finally:
        await transaction.rollback()


def waiting_for_locks(connection: asyncpg.Connection, count: int):
    async def ask() -> bool:
        await connection.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees the first one only
        return await connection.fetchval(
            "SELECT count(*) >= $1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND application_name LIKE 'midrise tests%' AND datname = current_database()",
            count,
        )

    return ask


def all_is_quiet(connection: asyncpg.Connection):
    async def ask() -> bool:
        return await connection.fetchval(
            "SELECT count(*) = 0 FROM pg_stat_activity WHERE state <> 'idle' "
            "AND application_name LIKE 'midrise tests%' AND datname = current_database()"
        )

    return ask


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"master": {"secret": None}}, "There is no master secret"),
        ({"database": {"url": None}}, "There is no database"),
        ({"redis": {"url": None}}, "There is no cache"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(settings, changes, sentence):
    lacking = Settings.model_validate(settings.model_dump() | changes)
    with pytest.raises(SettingMissing, match=sentence) as missing:
        create_application(lacking, process="tests")
    assert "\n" not in str(missing.value)


async def test_an_application_starts_without_its_database_and_says_so(start_application):
    client = await start_application(database={"url": "postgresql://nobody@/nothing?host=/nowhere"})
    assert (await client.get("/livez")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["dependencies"]["database"]) == (503, "down")
    answer = await client.get("/v1/products")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert "nowhere" not in answer.text


async def test_an_application_serves_without_its_cache(start_application):
    client = await start_application(redis={"url": "unix:///nowhere/valkey.sock"}, rate={"limit": "600/60"})
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["dependencies"]["cache"]) == (200, "down")
    assert (await client.get("/v1/products")).status_code == 200


async def test_every_answer_has_its_id_and_its_headers(client):
    for path in ("/v1/products", "/v1/nowhere", "/livez", "/openapi.json"):
        answer = await client.get(path, headers={"X-Request-ID": "r42", "Origin": SHOP})
        assert answer.headers["x-request-id"] == "r42"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "Origin" in answer.headers["vary"]


async def test_a_browser_may_ask_before_it_calls(client):
    headers = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    answer = await client.options("/v1/products", headers=headers)
    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]


async def test_no_spelling_of_a_path_gets_around_a_limit(start_application):
    strict = await start_application(rate={"limit": "10/60"})
    headers = {"X-Forwarded-For": f"2001:db8::{secrets.token_hex(2)}"}
    body = {"email": "nobody@midrise.test", "password": "wrong"}
    transport = httpx.ASGITransport(app=strict._transport.app, client=("", 0))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as stranger:
        paths = ["/v1/auth/login", "//v1/auth/login", "/v1//auth/login", "/v1/auth/login/", "//v1//auth//login"]
        codes = [(await stranger.post(f"http://test{path}", json=body)).status_code for path in paths * 2]
    assert codes[:2] == [401, 401]
    assert set(codes[2:]) == {429}


async def test_bad_requests_are_answered_while_every_connection_waits(start_application, emptier, database_url):
    client = await start_application(database={"url": database_url, "pool_size": 1, "read_pool_size": 1})
    async with locked(emptier, "products"):
        reads = [asyncio.create_task(client.get("/v1/products")) for _ in range(5)]
        await until(waiting_for_locks(emptier, 1))
        bad = [
            await client.get("/v1/products?page=2"),
            await client.get("/v1/nowhere"),
            await client.put("/v1/products"),
            await client.post("/v1/auth/login", content=b"{", headers={"content-type": "application/json"}),
            await client.post("/v1/auth/login", json={"email": 1}),
            await client.post("/v1/auth/login", content=b"{}", headers={"content-type": "text/plain"}),
            await client.get("/v1/me"),
            await client.get("/v1/me", headers={"Authorization": "Bearer nonsense"}),
        ]
        assert [answer.status_code for answer in bad] == [400, 404, 405, 400, 422, 415, 401, 401]
        assert not any(read.done() for read in reads)
    assert {(await read).status_code for read in reads} == {200}


async def test_requests_that_go_away_give_everything_back(application, client, emptier):
    async with locked(emptier, "products"):
        each_its_own = [f"/v1/products?price_max={number}" for number in range(200)]
        reads = [asyncio.create_task(client.get(path)) for path in each_its_own]
        await until(waiting_for_locks(emptier, 5))
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
    await until(all_is_quiet(emptier))
    answers = await asyncio.gather(*(client.get("/v1/products") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_read_does_not_notice_that_its_connection_was_cut(client, emptier):
    await asyncio.gather(*(client.get("/v1/products") for _ in range(5)))
    await emptier.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name LIKE 'midrise tests%' AND datname = current_database()"
    )
    answers = await asyncio.gather(*(client.get("/v1/products") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_bug_tells_the_client_nothing_of_the_inside(admin, emptier):
    await emptier.execute("ALTER TABLE products ADD CONSTRAINT ck_canary CHECK (name <> 'canary')")
    try:
        with capture_logs() as lines:
            answer = await admin.post("/v1/products", json=MUG | {"name": "canary"})
    finally:
        await emptier.execute("ALTER TABLE products DROP CONSTRAINT ck_canary")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    for secret in ("canary", "products_", "asyncpg", "SELECT", "Traceback", "/src/"):
        assert secret not in answer.text
    (failure,) = [line for line in lines if line["event"] == "request.failed"]
    assert "ck_canary" in str(failure["exc_info"])
    assert "Failing row" not in str(failure["exc_info"])


async def test_no_secret_of_a_request_is_logged(admin, client):
    with capture_logs() as lines:
        await client.post("/v1/auth/login", json={"email": "canary@midrise.test", "password": "canary 1"})
        await client.post("/v1/auth/refresh", json={"refresh_token": "canary 2"})
        await client.get("/v1/me?canary=1", headers={"Authorization": "Bearer canary"})
        await client.post("/v1/auth/register", json={"email": "x", "password": "canary 3", "name": "canary"})
    assert len(lines) >= 4
    assert "canary" not in json.dumps(lines, default=str)


async def test_an_administrator_is_made_once_if_there_is_none(settings, database_url):
    first = {"email": "first@midrise.test", "name": "First", "password": PASSWORD}
    assert await create_administrator(settings, **first, if_none=True)
    assert not await create_administrator(settings, **first | {"email": "second@midrise.test"}, if_none=True)
    with pytest.raises(EmailTaken):
        await create_administrator(settings, **first, if_none=False)


async def test_what_is_assembled_can_be_closed_unused(settings):
    await assemble(settings, process="tests").close()
