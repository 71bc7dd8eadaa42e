"""What the whole endures when it happens again and again. Each drill prints what it did and counted."""

import contextlib
import os
import random
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.topology.house import House, Load, command, raised, report, wait_for

pytestmark = pytest.mark.drill

RESTARTS = 10
KILLS = 20
FEWER_KILLS = 6
INTERRUPTED_STARTS = 10
DICE = random.Random(20261123)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with raised() as house:
        yield house


class Shop:
    """Makes products and remembers which were acknowledged, and how often each was asked for."""

    def __init__(self, house: House) -> None:
        self.client = house.administrator()
        self.made: set[str] = set()

    def make(self) -> httpx.Response:
        sku = secrets.token_hex(8)
        answer = self.client.post(
            "/v1/products", json={"sku": sku, "name": sku, "price": {"amount": 1, "currency": "BDT"}}
        )
        if answer.status_code == 201:
            self.made.add(sku)
        return answer

    def list(self) -> httpx.Response:
        return self.client.get("/v1/products", params={"limit": 5, "sort": "-created_at"})

    def list_anew(self) -> httpx.Response:
        """A list that nobody has asked for before: it is read from a database, and not from the cache."""
        bound = DICE.randrange(2**40)
        return self.client.get("/v1/products", params={"limit": 5, "price_max": bound})


@contextlib.contextmanager
def opened(house: House) -> Iterator[Shop]:
    shop = Shop(house)
    with shop.client:
        yield shop


def test_o1_rolling_restarts_under_mixed_load(house: House) -> None:
    """0 failed, 0 doubled, 0 lost."""
    with opened(house) as shop, opened(house) as visitor, Load(shop.make, visitor.list, visitor.list) as load:
        for _ in range(RESTARTS):
            house.midrise("restart")
    stored = house.sql("SELECT sku FROM products").splitlines()
    doubled = len(stored) - len(set(stored))
    lost = shop.made - set(stored)
    report(
        f"{RESTARTS} restarts, {load.answers} answers, {len(shop.made)} made, "
        f"{len(load.failures)} failed, {doubled} doubled, {len(lost)} lost"
    )
    assert (load.failures, doubled, lost) == ([], 0, set())


@pytest.mark.parametrize(
    ("name", "times"), [("postgres.replica.1", KILLS), ("api.1", FEWER_KILLS), ("valkey", FEWER_KILLS)]
)
def test_d4_a_part_that_dies_again_and_again_fails_no_read(house: House, name: str, times: int) -> None:
    with opened(house) as visitor, Load(visitor.list, visitor.list_anew) as load:
        for _ in range(times):
            house.kill(name)
    report(f"{name} killed {times} times, {load.answers} reads, {len(load.failures)} failed")
    assert load.failures == []


def test_d6_what_was_acknowledged_survives_a_killed_primary(house: House) -> None:
    with opened(house) as shop, Load(shop.make) as load:
        for _ in range(FEWER_KILLS):
            house.kill("postgres.primary")
    stored = set(house.sql("SELECT sku FROM products").splitlines())
    report(f"{load.answers} answers, {len(shop.made)} acknowledged, {len(shop.made - stored)} lost")
    assert shop.made <= stored
    assert [failure for failure in load.failures if "503 with Retry-After" not in failure] == []


def test_a_supervisor_killed_at_any_moment_of_its_start_is_no_obstacle_for_the_next(folder: Path) -> None:
    house = House(folder)
    for _ in range(INTERRUPTED_STARTS):
        with subprocess.Popen(
            command("up"),
            cwd=house.folder,
            env=house.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            time.sleep(DICE.uniform(0.1, 6))
            os.kill(process.pid, signal.SIGKILL)
    house.midrise("up", "--detach")
    assert house.status()["ready"]
    running = {process["pid"] for process in house.status()["processes"]}
    house.midrise("down")
    wait_for(lambda: house.processes() == set())
    report(f"{INTERRUPTED_STARTS} starts killed, then {len(running)} processes ran and none was left")
