"""R8: keys rotate under load without a log-out, and a key that is revoked is dead on every instance."""

import asyncio
import itertools
import json
import secrets
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.topology.house import LIMIT_S, PASSWORD, House, raised, report

pytestmark = pytest.mark.drill

INSTANCES = 2
CLIENTS = 8
ROTATIONS = 4


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with raised(MIDRISE_INSTANCES=str(INSTANCES)) as house:
        yield house


def keys(house: House, *arguments: str) -> Any:
    return json.loads(house.midrise("keys", *arguments, "--json").stdout)


async def somebody(client: httpx.AsyncClient) -> dict[str, Any]:
    """The tokens of somebody who has just registered."""
    body = {"email": f"{secrets.token_hex(8)}@midrise.test", "password": PASSWORD}
    answer = await client.post("/v1/auth/register", json=body | {"name": "Rahima Khatun"})
    assert answer.status_code == 201, answer.text
    tokens: dict[str, Any] = (await client.post("/v1/auth/login", json=body)).json()
    return tokens


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def call_until(ended: asyncio.Event, client: httpx.AsyncClient) -> Counter[str]:
    """Call with one token all the time, and with a new one after each twentieth call."""
    counted: Counter[str] = Counter()
    first = tokens = await somebody(client)
    for number in itertools.count(1):
        if ended.is_set():
            break
        for each in (first, tokens):
            counted[f"{(await client.get('/v1/me', headers=bearer(each))).status_code}"] += 1
        if number % 20 == 0:
            body = {"refresh_token": tokens["refresh_token"]}
            answer = await client.post("/v1/auth/refresh", json=body)
            counted[f"refresh {answer.status_code}"] += 1
            tokens = answer.json()
    return counted


async def rotations(house: House) -> tuple[Counter[str], set[str]]:
    ended = asyncio.Event()
    async with httpx.AsyncClient(base_url=house.url, timeout=LIMIT_S) as client:
        calling = [asyncio.create_task(call_until(ended, client)) for _ in range(CLIENTS)]
        signed = set()
        for _ in range(ROTATIONS):
            signed.add((await asyncio.to_thread(keys, house, "rotate", "--now"))["current"])
        ended.set()
        counted = sum(await asyncio.gather(*calling), Counter[str]())
    return counted, signed


def test_r8_keys_rotate_under_load_and_nobody_is_logged_out(house: House) -> None:
    counted, signed = asyncio.run(rotations(house))
    report(f"{len(signed)} rotations, {CLIENTS} clients: {dict(counted)}")
    assert len(signed) == ROTATIONS
    assert set(counted) <= {"200", "refresh 200"}
    assert counted["200"] > CLIENTS * ROTATIONS
    states = Counter(key["state"] for key in keys(house, "list"))
    assert states == {"retired": ROTATIONS, "current": 1, "next": 1}


async def revocation(house: House) -> list[set[int]]:
    """What every instance says to a token: before its key is revoked, behind that, and to the next token."""
    async with httpx.AsyncClient(base_url=house.url, timeout=LIMIT_S) as client:
        tokens = await somebody(client)
        seen = [await statuses(house, tokens)]
        (current,) = (key["kid"] for key in keys(house, "list") if key["state"] == "current")
        assert keys(house, "revoke", current) == {"revoked": current, "was": "current"}
        seen.append(await statuses(house, tokens))
        renewed = await client.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
        seen.append(await statuses(house, renewed.json()))
        return seen


async def statuses(house: House, tokens: dict[str, Any]) -> set[int]:
    found = set()
    for number in range(1, INSTANCES + 1):
        transport = httpx.AsyncHTTPTransport(uds=str(house.sockets / f"api.{number}.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://instance") as client:
            found.add((await client.get("/v1/me", headers=bearer(tokens))).status_code)
    return found


def test_a_revoked_key_is_dead_on_every_instance_and_a_refresh_helps(house: House) -> None:
    seen = asyncio.run(revocation(house))
    report(f"before, behind, renewed: {seen}")
    assert seen == [{200}, {401}, {200}]


def test_too_early_a_rotation_says_when_to_come_back(house: House) -> None:
    refused = house.midrise("keys", "rotate", check=False)
    assert refused.returncode == 1
    assert "come back in" in refused.stderr
    unknown = house.midrise("keys", "revoke", "nothing", check=False)
    assert (unknown.returncode, unknown.stderr) == (1, "There is no such signing key.\n")
    assert house.midrise("keys", "reseal").stdout == "Resealed: 0 signing keys, 0 second factors.\n"
