"""The whole on the distribution's PostgreSQL 15, with a replica, and its Redis 7, not on the embedded ones."""

import itertools
import random
import re
import secrets
from collections.abc import Iterator

import httpx
import pytest
from tests.outside.servers import PASSWORD as SERVER_PASSWORD
from tests.outside.servers import missing_programs, outside_servers
from tests.topology.house import House, raised, wait_for

pytestmark = pytest.mark.outside

READS_ON_REPLICA = re.compile(r'midrise_reads_total\{server="(?!primary")')
PASSWORD = "three green boats at dawn"
NAMES_IN_ORDER = [
    *("2 mugs", "Apple", "apple pie", "Zebra", "ärmel", "Éclair", "éclair au café", "Ωmega"),
    *("অভিধান", "আম", "ইলিশ", "কলম", "কাগজ", "চা", "মাছ", "শাড়ি", "হাঁড়ি", "হাতি"),
]
"""By the bytes of the folded text: no locale of a database has a say in it."""
MIXED_NAMES = random.Random(15).sample(NAMES_IN_ORDER, k=len(NAMES_IN_ORDER))


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    missing = missing_programs()
    assert not missing, f"install PostgreSQL 15 and Redis 7 first: {', '.join(missing)} can't be found"
    with outside_servers() as servers, raised(MIDRISE_RATE_LIMIT="1000/60", **servers.settings()) as house:
        yield house


@pytest.fixture
def administrator(house: House) -> Iterator[httpx.Client]:
    with house.administrator() as client:
        yield client


def new_product(name: str) -> dict[str, object]:
    return {"sku": secrets.token_hex(8), "name": name, "price": {"amount": 1999, "currency": "BDT"}}


def replica_reads(house: House) -> float:
    """How many units of work the instances have read on the replica."""
    counted = 0.0
    for name in ("api.1", "api.2"):
        inside = httpx.HTTPTransport(uds=f"{house.sockets}/{name}.internal.sock")
        with httpx.Client(transport=inside, base_url="http://midrise") as client:
            lines = client.get("/metrics").text.splitlines()
        counted += sum(float(line.split()[-1]) for line in lines if READS_ON_REPLICA.match(line))
    return counted


def test_midrise_runs_no_server_of_its_own(house: House) -> None:
    assert house.names() == ["worker", "api.1", "api.2", "gateway"]
    assert house.status()["ready"]


def test_every_dependency_is_up(house: House) -> None:
    with house.client() as visitor:
        states = visitor.get("/readyz").json()
    assert states == {"status": "ready", "dependencies": {"database": "up", "replica": "up", "cache": "up"}}


def test_lists_come_from_the_replica(house: House) -> None:
    with house.client() as visitor:
        # Another list each time: one that was asked for before comes from the cache.
        lists = itertools.cycle(range(1, 100))
        wait_for(
            lambda: visitor.get(f"/v1/products?limit={next(lists)}").is_success and replica_reads(house) > 0
        )


def test_a_person_registers_logs_in_and_out(house: House) -> None:
    credentials = {"email": f"{secrets.token_hex(8)}@midrise.test", "password": PASSWORD}
    person = credentials | {"name": "রহিমা খাতুন"}
    with house.client() as client:
        assert client.post("/v1/auth/register", json=person).status_code == 201
        assert client.post("/v1/auth/register", json=person).json()["code"] == "email_taken"
        tokens = client.post("/v1/auth/login", json=credentials).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        assert client.get("/v1/me").json()["name"] == person["name"]
        assert client.post("/v1/auth/logout").status_code == 204
        assert [client.get("/v1/me").status_code for _ in range(4)] == [401] * 4


def test_products_are_sorted_by_the_folded_bytes_of_their_names(administrator: httpx.Client) -> None:
    for name in MIXED_NAMES:
        assert administrator.post("/v1/products", json=new_product(name)).status_code == 201
    for order, expected in (("name", NAMES_IN_ORDER), ("-name", NAMES_IN_ORDER[::-1])):
        items = administrator.get(f"/v1/products?sort={order}&limit=100").json()["items"]
        assert [product["name"] for product in items] == expected


@pytest.mark.anyio
async def test_the_embedded_database_sorts_them_likewise(admin: httpx.AsyncClient) -> None:
    for name in MIXED_NAMES:
        assert (await admin.post("/v1/products", json=new_product(name))).status_code == 201
    items = (await admin.get("/v1/products?sort=name&limit=100")).json()["items"]
    assert [product["name"] for product in items] == NAMES_IN_ORDER


def test_both_instances_count_on_the_outside_cache(house: House, administrator: httpx.Client) -> None:
    left = [
        int(administrator.get("/v1/me").headers["RateLimit"].split("r=")[1].split(";")[0]) for _ in range(4)
    ]
    assert left[0] > left[-1]


def test_no_log_holds_a_servers_password(house: House) -> None:
    logs = [path.name for path in (house.home / "logs").iterdir() if SERVER_PASSWORD in path.read_text()]
    assert logs == []
