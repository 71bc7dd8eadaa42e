import asyncio

import asyncpg
import httpx
import pytest
from tests.conftest import ADMIN_EMAIL, client_of, log_in

from midrise.foundation.http.middleware.idempotency import read_key

pytestmark = pytest.mark.anyio

KEY = {"Idempotency-Key": "order-1"}


def role(name: str = "shipping", description: str = "") -> dict[str, object]:
    return {"name": name, "description": description, "permissions": ["products:read"]}


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("abc", "abc"),
        ('"abc"', "abc"),
        (r'"a\"b\\c"', r'a"b\c'),
        ("a b", "a b"),
        ("x" * 255, "x" * 255),
        ("x" * 256, None),
        ("", None),
        ('""', None),
        ('"open', None),
        ("caf\u00e9", None),
        ("a\tb", None),
    ],
)
def test_a_key_is_read_quoted_or_bare(header, key):
    assert read_key(header) == key


async def test_the_same_call_again_gives_the_same_answer_and_changes_nothing(admin: httpx.AsyncClient):
    first = await admin.post("/v1/roles", json=role(), headers=KEY)
    again = await admin.post("/v1/roles", json=role(), headers={"Idempotency-Key": '"order-1"'})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["location"] == first.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_registration_is_repeated_as_well_for_a_visitor(client: httpx.AsyncClient):
    body = {"email": "rahima@midrise.test", "name": "Rahima", "password": "three green boats at dawn"}
    first = await client.post("/v1/auth/register", json=body, headers=KEY)
    again = await client.post("/v1/auth/register", json=body, headers=KEY)
    assert again.status_code == 201
    assert again.json() == first.json()


async def test_a_product_is_repeated_to_the_byte(admin: httpx.AsyncClient):
    body = {
        "sku": "A-1",
        "name": "নীল কাপ",
        "price": {"amount": 1999, "currency": "BDT"},
        "attributes": {"size": 2.5, "new": True},
    }
    first = await admin.post("/v1/products", json=body, headers=KEY)
    again = await admin.post("/v1/products", json=body, headers=KEY)
    assert again.content == first.content


async def test_the_key_with_another_body_or_path_is_refused(admin: httpx.AsyncClient):
    await admin.post("/v1/roles", json=role(), headers=KEY)
    for answer in (
        await admin.post("/v1/roles", json=role("packing"), headers=KEY),
        await admin.post("/v1/products", json=role(), headers=KEY),
    ):
        assert answer.status_code == 422
    assert (await admin.get("/v1/roles/packing")).status_code == 404
    answer = await admin.post("/v1/roles", json=role("packing"), headers=KEY)
    assert answer.json()["code"] == "idempotency_key_reused"
    assert answer.json()["errors"][0]["header"] == "Idempotency-Key"


async def test_a_refused_call_leaves_its_key_free(admin: httpx.AsyncClient):
    await admin.post("/v1/roles", json=role())
    refused = await admin.post("/v1/roles", json=role(), headers=KEY)
    assert refused.json()["code"] == "role_taken"
    assert (await admin.post("/v1/roles", json=role("packing"), headers=KEY)).status_code == 201


async def test_keys_belong_to_their_caller(admin: httpx.AsyncClient, application, client: httpx.AsyncClient):
    visitor = {"email": "rahima@midrise.test", "name": "Rahima", "password": "three green boats at dawn"}
    await client.post("/v1/auth/register", json=visitor, headers=KEY)
    answer = await admin.post("/v1/roles", json=role(), headers=KEY)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


async def test_of_many_at_once_one_acts_and_the_rest_replay_or_wait(
    admin: httpx.AsyncClient, emptier: asyncpg.Connection
):
    async def create(number: int) -> httpx.Response:
        return await admin.post(
            "/v1/roles", json=role(f"clerk-{number}"), headers={"Idempotency-Key": f"clerk-{number}-of-many"}
        )

    for number in range(30):
        answers = await asyncio.gather(*(create(number) for _ in range(8)))
        assert {answer.status_code for answer in answers} <= {201, 409}
        assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"idempotency_in_progress"}
        acted = [a for a in answers if a.status_code == 201 and "idempotency-replayed" not in a.headers]
        assert len(acted) == 1
    assert await emptier.fetchval("SELECT count(*) FROM audit_events WHERE action = 'role:created'") == 30


async def test_after_a_day_the_key_is_fresh(admin: httpx.AsyncClient, emptier: asyncpg.Connection):
    await admin.post("/v1/roles", json=role(), headers=KEY)
    await emptier.execute("UPDATE idempotency_keys SET expires_at = now()")
    answer = await admin.post("/v1/roles", json=role("packing"), headers=KEY)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


async def test_logging_in_takes_the_header_and_keeps_nothing(
    application, admin: httpx.AsyncClient, emptier: asyncpg.Connection
):
    visitor = client_of(application)
    body = {"email": ADMIN_EMAIL, "password": "three green boats at dawn"}
    first = await visitor.post("/v1/auth/login", json=body, headers=KEY)
    again = await visitor.post("/v1/auth/login", json=body, headers=KEY)
    assert first.json()["access_token"] != again.json()["access_token"]
    assert await emptier.fetchval("SELECT count(*) FROM idempotency_keys") == 0
    assert await log_in(visitor, ADMIN_EMAIL)


async def test_what_is_kept_is_sealed(admin: httpx.AsyncClient, emptier: asyncpg.Connection):
    await admin.post("/v1/roles", json=role(description="very particular words"), headers=KEY)
    sealed = await emptier.fetchval("SELECT sealed_result FROM idempotency_keys")
    assert b"very particular words" not in sealed


async def test_a_key_that_is_none_is_named(admin: httpx.AsyncClient):
    answer = await admin.post("/v1/roles", json=role(), headers={"Idempotency-Key": "x" * 256})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["header"] == "Idempotency-Key"
