"""What promotions, planned and not, do to clients. Each drill prints what it did, counted and found.

``DRILLS_LONG=1`` has each do as much as the promise says; without, they do a part of it.
"""

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.foundation.database.promotions import frozen, servers
from tests.topology.house import House, Load, raised, report, wait_for
from tests.topology.test_drills import opened

pytestmark = pytest.mark.drill

IS_LONG = "DRILLS_LONG" in os.environ
READS = 10_000 if IS_LONG else 600
PROMOTIONS = 20 if IS_LONG else 4
KILLS = 20 if IS_LONG else 4
WRITES_AFTER = 200 if IS_LONG else 40
UNHEARD_OF = itertools.count(1_000_000)
"""Prices that nobody has asked for before."""
REPLICAS = ("postgres.replica.1", "postgres.replica.2")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with raised(MIDRISE_REPLICAS="2") as house:
        yield house


def ports_of_replicas(house: House) -> list[int]:
    return [port for port in (5432, 5433, 5434) if house.sql("SELECT pg_is_in_recovery()", port=port) == "t"]


def pause(house: House, *ports: int) -> None:
    for port in ports:
        house.sql("SELECT pg_wal_replay_pause()", port=port)
        wait_for(lambda port=port: house.sql("SELECT pg_get_wal_replay_pause_state()", port=port) == "paused")


def resume(house: House, *ports: int) -> None:
    for port in ports:
        house.sql("SELECT pg_wal_replay_resume()", port=port)


def reads_on_replicas(house: House) -> int:
    """How many reads the instances have had answered by replicas."""
    count = 0.0
    for number in (1, 2):
        transport = httpx.HTTPTransport(uds=str(house.sockets / f"api.{number}.internal.sock"))
        with httpx.Client(transport=transport, base_url="http://midrise") as client:
            lines = client.get("/metrics").text.splitlines()
        count += sum(
            float(line.split()[-1])
            for line in lines
            if line.startswith("midrise_reads_total{") and 'server="primary"' not in line
        )
    return int(count)


def only_told_to_come_back(failures: list[str]) -> bool:
    return all("503 with Retry-After" in failure for failure in failures)


def list_anew(visitor: httpx.Client, **headers: str) -> httpx.Response:
    """List products as nobody has before, so that no cache has the answer."""
    return visitor.get("/v1/products", params={"price_max": next(UNHEARD_OF)}, headers=headers)


class Outages:
    """How long writes were refused, each time."""

    def __init__(self, ask: Callable[[], httpx.Response]) -> None:
        self.seconds: list[float] = []
        self._ask = ask
        self._refused_since: float | None = None

    def __call__(self) -> httpx.Response:
        answer = self._ask()
        if not answer.is_success and self._refused_since is None:
            self._refused_since = time.monotonic()
        if answer.is_success and self._refused_since is not None:
            self.seconds.append(time.monotonic() - self._refused_since)
            self._refused_since = None
        return answer


def test_d1_whoever_has_written_reads_what_it_wrote_though_replay_is_paused(house: House) -> None:
    paused = ports_of_replicas(house)
    pause(house, *paused)
    stale = {"with its token": 0, "without": 0}
    with opened(house) as shop:
        place = shop.client.base_url.join(shop.make().headers["location"])
        for number in range(READS // 2):
            name = f"Lamp {number}"
            for how in stale:
                written = shop.client.patch(place, json={"name": f"{name} {how}"})
                assert written.status_code == 200, written.text
                token = {"Consistency-Token": written.headers["consistency-token"]}
                seen = shop.client.get(place, headers=token if how == "with its token" else {})
                stale[how] += seen.json()["name"] != f"{name} {how}"
    resume(house, *paused)
    report(f"replay paused on {len(paused)} replicas, {READS} reads after a write, stale: {stale}")
    assert set(stale.values()) == {0}


def test_d3_time_never_runs_backwards_for_a_client_that_sends_its_token(house: House) -> None:
    lagging = ports_of_replicas(house)[0]
    backwards, seen, before = 0, -1, reads_on_replicas(house)
    token: dict[str, str] = {}
    with opened(house) as shop, house.client() as visitor:
        made = shop.client.post(
            "/v1/products",
            json={"sku": "d3", "name": "0", "status": "active", "price": {"amount": 1, "currency": "BDT"}},
        )
        place, ending = made.headers["location"], threading.Event()

        def write() -> None:
            version = 0
            while not ending.wait(0.01):
                version += 1
                shop.client.patch(place, json={"name": str(version)})

        writer = threading.Thread(target=write)
        writer.start()
        for number in range(READS):
            if number % 100 == 0:
                (pause if number % 200 == 0 else resume)(house, lagging)
            answer = list_anew(visitor, **token)
            token = {"Consistency-Token": answer.headers["consistency-token"]}
            (shown,) = answer.json()["items"]
            version = int(shown["name"])
            backwards += version < seen
            seen = version
        ending.set()
        writer.join()
    resume(house, lagging)
    by_replicas = reads_on_replicas(house) - before
    report(f"{READS} reads up to version {seen}, {by_replicas} by replicas, {backwards} backwards")
    assert (backwards, seen > 0, by_replicas > 0) == (0, True, True)


def test_d4_dead_replicas_are_not_noticed(house: House) -> None:
    before = reads_on_replicas(house)
    with house.client() as visitor, Load(lambda: list_anew(visitor), lambda: list_anew(visitor)) as load:
        for number in range(KILLS):
            house.kill(REPLICAS[number % 2])
    by_replicas = reads_on_replicas(house) - before
    report(
        f"replicas killed {KILLS} times in turn, {load.answers} reads, {by_replicas} by replicas, "
        f"{len(load.failures)} failed"
    )
    assert by_replicas > 0
    assert load.failures == []


def test_d4_frozen_replicas_are_not_noticed(house: House) -> None:
    before = reads_on_replicas(house)
    with house.client() as visitor, Load(lambda: list_anew(visitor), lambda: list_anew(visitor)) as load:
        for number in range(KILLS):
            with frozen(house.process(REPLICAS[number % 2])["pid"]):
                seen = load.answers
                wait_for(lambda seen=seen: load.answers >= seen + 50)
    by_replicas = reads_on_replicas(house) - before
    report(
        f"replicas frozen {KILLS} times in turn, {load.answers} reads, {by_replicas} by replicas, "
        f"{len(load.failures)} failed"
    )
    assert load.failures == []


def test_d5_d6_planned_promotions_heal_without_a_restart_and_lose_nothing(house: House) -> None:
    restarts = {process["name"]: process["restarts"] for process in house.status()["processes"]}
    with opened(house) as shop, house.client() as visitor:
        write = Outages(shop.make)
        with Load(lambda: list_anew(visitor)) as reads, Load(write) as load:
            for number in range(PROMOTIONS):
                house.midrise("promote", REPLICAS[number % 2])
                with Load(shop.make) as later:
                    wait_for(lambda later=later: later.answers >= WRITES_AFTER // 4)
                assert later.failures == []
    stored = house.sql("SELECT sku FROM products").splitlines()
    lost, doubled = shop.made - set(stored), len(stored) - len(set(stored))
    longest = max(write.seconds, default=0.0)
    report(
        f"{PROMOTIONS} promotions, {len(shop.made)} writes acknowledged, "
        f"{len(load.failures)} told to come back, for {longest:.2f} s at most; {len(lost)} lost, "
        f"{doubled} doubled; {reads.answers} reads, {len(reads.failures)} failed"
    )
    assert only_told_to_come_back(load.failures)
    assert (lost, doubled, reads.failures) == (set(), 0, [])
    now = {process["name"]: process["restarts"] for process in house.status()["processes"]}
    assert {name: now[name] for name in ("api.1", "api.2", "worker")} == {
        name: restarts[name] for name in ("api.1", "api.2", "worker")
    }


def test_d5_an_unplanned_promotion_heals_and_the_old_primary_is_not_written_to(folder: Path) -> None:
    with servers() as outside, raised(MIDRISE_DATABASE_URL=outside.url()) as house:
        old, new = outside.all
        count = "SELECT count(*) FROM products"
        with opened(house) as shop, house.client() as visitor:
            write = Outages(shop.make)
            with Load(lambda: list_anew(visitor)) as reads, Load(write) as load:
                wait_for(lambda: len(shop.made) >= 20)
                outside.kill(old)
                wait_for(lambda: load.failures)
                outside.value_now(new, "SELECT pg_promote()")
                healed = len(shop.made)
                wait_for(lambda: len(shop.made) >= healed + 10)
            outside.start(old)
            left = outside.value_now(old, count)
            with Load(shop.make) as later:
                wait_for(lambda: later.answers >= WRITES_AFTER)
        stored = {row["sku"] for row in outside.rows_now(new, "SELECT sku FROM products")}
        on_old = outside.value_now(old, count)
        report(
            f"primary killed, {len(load.failures)} writes told to come back for {max(write.seconds):.2f} s, "
            f"{reads.answers} reads, {len(reads.failures)} failed; with the old primary back {later.answers} "
            f"writes, {len(later.failures)} failed, {on_old - left} of them on it; "
            f"{len(shop.made - stored)} acknowledged ones were never sent to the replica"
        )
        assert only_told_to_come_back(load.failures)
        assert reads.failures == []
        assert later.failures == []
        assert on_old == left
