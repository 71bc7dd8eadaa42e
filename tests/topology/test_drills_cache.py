"""Nothing shown is older than the last change, whatever befalls the cache. Each drill prints what it did.

`counting_shop` tells how old answers show; what befalls a cache that one instance alone can't reach, or that
starts from an old file, is drilled in `tests/foundation/http/test_drills_outages.py`.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis
from tests.topology.counting_shop import DICE, PRODUCTS, Checked, Shop, told
from tests.topology.house import ADMINISTRATOR, LIMIT_S, PASSWORD, House, raised, report, wait_for

pytestmark = pytest.mark.drill

INSTANCES = 2
SECONDS = 8.0
REPLICA_PORT = 5433


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with raised(MIDRISE_INSTANCES=str(INSTANCES)) as house:
        yield house


@contextlib.asynccontextmanager
async def opened(house: House) -> AsyncIterator[Shop]:
    """A shop that is asked at every instance, and at the gateway."""
    wait_for(lambda: house.status()["ready"])
    async with contextlib.AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(httpx.AsyncClient(base_url=house.url, timeout=LIMIT_S))
        ways = [gateway]
        for number in range(1, INSTANCES + 1):
            transport = httpx.AsyncHTTPTransport(uds=str(house.sockets / f"api.{number}.sock"))
            client = httpx.AsyncClient(transport=transport, base_url="http://instance", timeout=LIMIT_S)
            ways.append(await stack.enter_async_context(client))
        body = {"email": ADMINISTRATOR, "password": PASSWORD}
        token = (await gateway.post("/v1/auth/login", json=body)).json()["access_token"]
        shop = Shop(ways, {"Authorization": f"Bearer {token}"})
        await shop.open()
        yield shop


def valkey(house: House) -> Redis:
    return Redis.from_url(f"unix://{house.sockets / 'valkey.sock'}")


async def flush(house: House) -> None:
    await asyncio.sleep(DICE.uniform(0, 0.1))
    async with valkey(house) as cache:
        if DICE.random() < 0.5:
            await cache.flushall()
        else:
            key = await cache.randomkey()
            await cache.delete(key or b"nothing")


async def run(house: House, trouble: Callable[[], Awaitable[Any]], *, seconds: float = SECONDS) -> Checked:
    async with opened(house) as shop:
        return await shop.under(trouble, seconds=seconds)


def test_d11_and_d2_nothing_is_old_though_the_cache_is_flushed_at_any_moment(house: House) -> None:
    checked = asyncio.run(run(house, lambda: flush(house)))
    told("flushed, or robbed of a key", checked)
    assert checked.counted.keys() <= {"writes", "reads", "troubles"}


def test_d11_and_d1_nothing_is_old_while_the_replica_stands_still(house: House) -> None:
    async def stand_still() -> None:
        await asyncio.to_thread(house.sql, "SELECT pg_wal_replay_pause()", port=REPLICA_PORT)
        await flush(house)
        await asyncio.sleep(DICE.uniform(0, 0.6))
        await asyncio.to_thread(house.sql, "SELECT pg_wal_replay_resume()", port=REPLICA_PORT)
        await asyncio.sleep(DICE.uniform(0, 0.2))

    try:
        checked = asyncio.run(run(house, stand_still))
    finally:
        house.sql("SELECT pg_wal_replay_resume()", port=REPLICA_PORT)
    told("the replica paused and resumed, the cache flushed", checked)
    assert checked.counted.keys() <= {"writes", "reads", "troubles"}


def test_d11_nothing_is_old_though_the_cache_freezes_and_thaws(house: House) -> None:
    pid = house.process("valkey")["pid"]

    async def freeze() -> None:
        await asyncio.sleep(DICE.uniform(0.5, 2))
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(DICE.uniform(0.05, 1.5))
        os.kill(pid, signal.SIGCONT)

    try:
        checked = asyncio.run(run(house, freeze, seconds=2 * SECONDS))
    finally:
        os.kill(pid, signal.SIGCONT)
    told("the cache frozen and thawed", checked)
    assert checked.counted.keys() <= {"writes", "reads", "troubles"}


def test_d11_and_d13_nothing_is_old_or_refused_though_the_cache_is_killed(house: House) -> None:
    async def kill() -> None:
        await asyncio.sleep(DICE.uniform(0.2, 2))
        await asyncio.to_thread(house.kill, "valkey")

    checked = asyncio.run(run(house, kill, seconds=2 * SECONDS))
    told("the cache killed", checked)
    assert checked.counted.keys() <= {"writes", "reads", "troubles"}


def test_d11_nothing_is_old_though_instances_are_killed_around_their_commits(house: House) -> None:
    async def kill() -> None:
        await asyncio.sleep(DICE.uniform(0.2, 1.5))
        await asyncio.to_thread(house.kill, f"api.{DICE.randint(1, INSTANCES)}")

    checked = asyncio.run(run(house, kill, seconds=2 * SECONDS))
    told("instances killed", checked)


def test_d11_nothing_is_old_though_a_long_transaction_marks_and_rolls_back(house: House) -> None:
    async def write_for_long() -> None:
        statement = "BEGIN; UPDATE products SET description = 'never'; SELECT pg_sleep(0.2); ROLLBACK;"
        await asyncio.to_thread(house.sql, statement)

    told("overlapping transactions that roll back", asyncio.run(run(house, write_for_long)))


DISCONNECTS = 10_000
WAITING = """
SELECT count(*) FROM pg_stat_activity
 WHERE datname = 'midrise' AND (state LIKE 'idle in transaction%' OR wait_event_type = 'Lock')
"""


async def disconnect(shop: Shop, socket: str) -> None:
    """Ask, and be gone at any moment."""
    way = DICE.choice(["GET", "GET", "PATCH"])
    body = b'{"name": "0"}' if way == "PATCH" else b""
    headers = {"Host": "x", "Content-Type": "application/json", "Content-Length": len(body)} | shop.headers
    lines = [
        f"{way} {DICE.choice(shop.paths)} HTTP/1.1",
        *(f"{name}: {text}" for name, text in headers.items()),
    ]
    _, writer = await asyncio.open_unix_connection(socket)
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await asyncio.sleep(DICE.uniform(0, 0.03))
    writer.transport.abort()


async def disconnects(house: House) -> tuple[int, int]:
    async with opened(house) as shop:
        for _ in range(DISCONNECTS // 50):
            sockets = [str(house.sockets / f"api.{DICE.randint(1, INSTANCES)}.sock") for _ in range(50)]
            await asyncio.gather(*(disconnect(shop, socket) for socket in sockets))
        wait_for(lambda: house.sql(WAITING) == "0")
        locks = int(house.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"))
        answers = [await way.get(path) for way in shop.ways for path in shop.paths for _ in range(5)]
        return locks, sum(answer.status_code == 200 for answer in answers)


def test_o8_clients_that_disconnect_leave_nothing_behind(house: House) -> None:
    before = {pid: open_files(pid) for pid in instances(house)}
    locks, answered = asyncio.run(disconnects(house))
    # A few connections to the database more or fewer are no sign of anything.
    wait_for(lambda: all(open_files(pid) <= files + 20 for pid, files in before.items()))
    after = {pid: open_files(pid) for pid in before}
    wait_for(lambda: all(in_progress(house, number) == 0 for number in range(1, INSTANCES + 1)))
    report(
        f"{DISCONNECTS} disconnects: {locks} locks waited for, files {before} then {after}, {answered} answers"
    )
    assert locks == 0
    assert answered == (INSTANCES + 1) * PRODUCTS * 5


def in_progress(house: House, number: int) -> float:
    """How many requests an instance is at work on."""
    transport = httpx.HTTPTransport(uds=str(house.sockets / f"api.{number}.internal.sock"))
    with httpx.Client(transport=transport, base_url="http://inside") as inside:
        lines = inside.get("/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("midrise_requests_in_progress "))


def instances(house: House) -> list[int]:
    return [house.process(f"api.{number}")["pid"] for number in range(1, INSTANCES + 1)]


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
