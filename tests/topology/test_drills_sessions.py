"""What ends is over on every instance of a running whole. Each drill prints what it did and counted."""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.topology.house import ADMINISTRATOR, LIMIT_S, PASSWORD, House, raised, report

pytestmark = pytest.mark.drill

INSTANCES = 3
ROUNDS = 60
AT_ONCE = 50


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with raised(MIDRISE_INSTANCES=str(INSTANCES)) as house:
        yield house


@dataclass
class Floors:
    """The way in for everybody, and each instance by itself."""

    gateway: httpx.AsyncClient
    instances: list[httpx.AsyncClient]

    async def somebody(self) -> dict[str, str]:
        """The body of a log-in of somebody who has just registered."""
        email = f"{secrets.token_hex(8)}@midrise.test"
        body = {"email": email, "password": PASSWORD, "name": "Rahima Khatun"}
        assert (await self.gateway.post("/v1/auth/register", json=body)).status_code == 201
        return {"email": email, "password": PASSWORD}

    async def log_in(self, body: dict[str, str]) -> dict[str, Any]:
        answer = await self.gateway.post("/v1/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    async def statuses(self, tokens: dict[str, Any], path: str = "/v1/me") -> set[int]:
        """What every instance, and the gateway, say to the access token."""
        ways = (self.gateway, *self.instances)
        answers = await asyncio.gather(*(way.get(path, headers=bearer(tokens)) for way in ways))
        return {answer.status_code for answer in answers}


@contextlib.asynccontextmanager
async def floors(house: House) -> AsyncIterator[Floors]:
    async with contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(httpx.AsyncClient(base_url=house.url, timeout=LIMIT_S))
        instances = []
        for number in range(1, INSTANCES + 1):
            transport = httpx.AsyncHTTPTransport(uds=str(house.sockets / f"api.{number}.sock"))
            client = httpx.AsyncClient(transport=transport, base_url="http://instance", timeout=LIMIT_S)
            instances.append(await stack.enter_async_context(client))
        yield Floors(gateway, instances)


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def log_outs(house: House) -> Counter[str]:
    counted: Counter[str] = Counter()
    async with floors(house) as whole:
        body = await whole.somebody()
        for number in range(ROUNDS):
            tokens = await whole.log_in(body)
            assert await whole.statuses(tokens) == {200}
            way = whole.instances[number % INSTANCES]
            path = "/v1/auth/logout-all" if number % 2 else "/v1/auth/logout"
            assert (await way.post(path, headers=bearer(tokens))).status_code == 204
            renewal = await whole.gateway.post(
                "/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}
            )
            is_over = await whole.statuses(tokens) == {401} and renewal.status_code == 401
            counted["over everywhere" if is_over else "alive somewhere"] += 1
    return counted


def test_r1_a_log_out_on_one_instance_is_one_on_all(house: House) -> None:
    counted = asyncio.run(log_outs(house))
    report(f"{ROUNDS} log-outs, {INSTANCES} instances: {dict(counted)}")
    assert counted == {"over everywhere": ROUNDS}


async def changes(house: House) -> Counter[str]:
    counted: Counter[str] = Counter()
    async with floors(house) as whole:
        admin = bearer(await whole.log_in({"email": ADMINISTRATOR, "password": PASSWORD}))
        for number in range(ROUNDS // 3):
            tokens = await whole.log_in(await whole.somebody())
            user = (await whole.gateway.get("/v1/me", headers=bearer(tokens))).json()
            path, way = f"/v1/users/{user['id']}", whole.instances[number % INSTANCES]
            seen = [await whole.statuses(tokens, "/v1/users")]
            for roles in (["support"], ["customer"]):
                await way.put(f"{path}/roles", json={"roles": roles}, headers=admin)
                seen.append(await whole.statuses(tokens, "/v1/users"))
            if number % 2:
                await way.patch(path, json={"is_active": False}, headers=admin)
            else:
                await way.delete(path, headers=admin)
            seen.append(await whole.statuses(tokens))
            counted["at once" if seen == [{403}, {200}, {403}, {401}] else f"{seen}"] += 1
    return counted


def test_r4_roles_and_the_end_of_an_account_count_from_the_next_request(house: House) -> None:
    counted = asyncio.run(changes(house))
    report(f"{ROUNDS // 3} people promoted, demoted, then disabled or deleted: {dict(counted)}")
    assert counted == {"at once": ROUNDS // 3}


async def renewals(house: House) -> tuple[Counter[int], set[str], int, str]:
    """Fifty refreshes with one token: their statuses and successors, one with the successor, one with the first
    again."""
    async with floors(house) as whole:
        tokens = await whole.log_in(await whole.somebody())

        async def refresh(token: str) -> httpx.Response:
            return await whole.gateway.post("/v1/auth/refresh", json={"refresh_token": token})

        answers = await asyncio.gather(*(refresh(tokens["refresh_token"]) for _ in range(AT_ONCE)))
        successors = {answer.json().get("refresh_token", "") for answer in answers}
        renewed = await refresh(max(successors))
        stolen = await refresh(tokens["refresh_token"])
        assert (await refresh(renewed.json()["refresh_token"])).status_code == 401
        assert await whole.statuses(renewed.json()) == {401}
        statuses = Counter(answer.status_code for answer in answers)
        return statuses, successors, renewed.status_code, stolen.json()["code"]


def test_r5_and_r6_parallel_refreshes_do_not_fork_and_a_stolen_token_ends_the_session(house: House) -> None:
    for _ in range(ROUNDS // 10):
        statuses, successors, renewed, stolen = asyncio.run(renewals(house))
        found = f"{dict(statuses)}, {len(successors)} successor(s); then {renewed}, {stolen}"
        report(f"{AT_ONCE} refreshes at once: {found}")
        assert (statuses, len(successors), renewed, stolen) == ({200: AT_ONCE}, 1, 200, "token_reused")
    reused = house.sql("SELECT count(*) FROM audit_events WHERE action = 'session:token:reused'")
    assert int(reused) == ROUNDS // 10
