"""A `PUT` or `DELETE` that the gateway sends twice gets the first outcome; nobody else can have that."""

from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from tests.conftest import ADMIN_EMAIL, client_of, log_in

from midrise.settings import Settings

pytestmark = pytest.mark.anyio

FIRST = {"X-Midrise-Gateway-Request": "1" * 32}
SECOND = {"X-Midrise-Gateway-Request": "2" * 32}
ROLE = "/v1/roles/shipping"
CONFIG = "/v1/config/registration.open"


@pytest.fixture
async def gateway(application, admin: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway, with the requests of the administrator."""
    token = admin.headers["Authorization"].removeprefix("Bearer ")
    async with client_of(application, token=token, address=None) as client:
        yield client


async def make_role(client: httpx.AsyncClient) -> None:
    body = {"name": "shipping", "description": "", "permissions": ["products:read"]}
    assert (await client.post("/v1/roles", json=body)).status_code == 201


async def make_product(client: httpx.AsyncClient) -> httpx.Response:
    body = {"sku": "A-1", "name": "Tea", "price": {"amount": 1999, "currency": "BDT"}}
    answer = await client.post("/v1/products", json=body)
    assert answer.status_code == 201
    return answer


async def audited(onlooker: asyncpg.Connection, action: str) -> int:
    return int(await onlooker.fetchval("SELECT count(*) FROM audit_events WHERE action = $1", action))


async def test_a_role_that_is_deleted_by_the_first_is_not_missed_by_the_twin(gateway, emptier):
    await make_role(gateway)
    answers = [await gateway.delete(ROLE, headers=FIRST) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert "idempotency-replayed" not in answers[1].headers
    assert await audited(emptier, "role:deleted") == 1


async def test_a_product_is_deleted_once(gateway, emptier):
    made = await make_product(gateway)
    path, condition = made.headers["location"], {"If-Match": made.headers["etag"]}
    answers = [await gateway.delete(path, headers=FIRST | condition) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert await audited(emptier, "product:deleted") == 1


async def test_a_client_that_deletes_again_is_told_that_there_is_nothing(gateway):
    await make_role(gateway)
    assert (await gateway.delete(ROLE, headers=FIRST)).status_code == 204
    assert (await gateway.delete(ROLE, headers=SECOND)).status_code == 404
    assert (await gateway.delete(ROLE)).status_code == 404


async def test_a_refusal_is_made_anew(gateway):
    assert (await gateway.delete(ROLE, headers=FIRST)).status_code == 404
    await make_role(gateway)
    assert (await gateway.delete(ROLE, headers=FIRST)).status_code == 204


async def test_a_put_under_a_condition_does_not_fail_for_what_it_did_itself(gateway, emptier):
    tag = (await gateway.get(CONFIG)).headers["etag"]
    condition = {"If-Match": tag}
    answers = [await gateway.put(CONFIG, json={"value": False}, headers=FIRST | condition) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[1].content == answers[0].content
    assert answers[1].headers["etag"] == answers[0].headers["etag"] != tag
    assert await audited(emptier, "config:set") == 1
    again = await gateway.put(CONFIG, json={"value": False}, headers=SECOND | condition)
    assert again.status_code == 412


async def test_going_back_to_the_default_is_done_once(gateway, emptier):
    tag = (await gateway.put(CONFIG, json={"value": False}, headers=FIRST)).headers["etag"]
    for _ in range(2):
        answer = await gateway.delete(CONFIG, headers=SECOND | {"If-Match": tag})
        assert answer.status_code == 204
    assert await audited(emptier, "config:reset") == 1


async def test_roles_are_given_once(gateway, customer, emptier):
    person = await customer.get("/v1/me")
    path, condition = f"/v1/users/{person.json()['id']}/roles", {"If-Match": person.headers["etag"]}
    answers = [
        await gateway.put(path, json={"roles": ["manager"]}, headers=FIRST | condition) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [200, 200], answers[1].text
    assert answers[1].content == answers[0].content
    assert await audited(emptier, "user:roles:assigned") == 1


async def test_another_body_is_another_call(gateway):
    values = [
        (await gateway.put(CONFIG, json={"value": value}, headers=FIRST)).json()["value"]
        for value in (False, True)
    ]
    assert values == [False, True]


async def test_a_patch_and_a_post_are_never_taken_for_a_twin(gateway, emptier):
    made = await make_product(gateway)
    for name in ("Green tea", "Black tea"):
        changed = await gateway.patch(made.headers["location"], json={"name": name}, headers=FIRST)
        assert changed.json()["name"] == name
    assert await emptier.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_a_stranger_can_not_have_its_calls_taken_for_twins(admin, emptier):
    await make_role(admin)
    assert (await admin.delete(ROLE, headers=FIRST)).status_code == 204
    assert (await admin.delete(ROLE, headers=FIRST)).status_code == 404
    assert await emptier.fetchval("SELECT count(*) FROM idempotency_keys") == 0


async def test_a_proxy_that_is_trusted_may_repeat_as_the_gateway_does(
    start_application, admin, settings: Settings
):
    await make_role(admin)
    trusted = settings.trusted.model_dump() | {"proxies": ("127.0.0.0/8",)}
    proxy = await start_application(trusted=trusted)
    proxy.headers["Authorization"] = f"Bearer {await log_in(proxy, ADMIN_EMAIL)}"
    for _ in range(2):
        assert (await proxy.delete(ROLE, headers=FIRST)).status_code == 204


@pytest.mark.parametrize("number", ["", "short", "x" * 129, "sp ace" * 5])
async def test_what_is_no_number_of_a_request_is_none(gateway, number, emptier):
    await make_role(gateway)
    assert (await gateway.delete(ROLE, headers={"X-Midrise-Gateway-Request": number})).status_code == 204
    assert await emptier.fetchval("SELECT count(*) FROM idempotency_keys") == 0
