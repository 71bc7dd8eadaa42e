"""The whole, raised once: what runs, and that nothing which happens to its parts reaches a client."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest
from tests.topology.house import ADMINISTRATOR, PASSWORD, House, Load, foreground, raised, wait_for

from midrise.topology.control import Scale
from midrise.topology.errors import Refused
from midrise.topology.events import Began, Done

NAMES = ["postgres.primary", "postgres.replica.1", "valkey", "worker", "api.1", "api.2", "gateway"]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """The whole; the last test lowers it."""
    with raised() as house:
        yield house


@pytest.fixture
def administrator(house: House) -> Iterator[httpx.Client]:
    with house.administrator() as client:
        yield client


@pytest.fixture
def read(house: House) -> Iterator[Callable[[], httpx.Response]]:
    """Reads the list of products."""
    with house.client() as client:
        yield lambda: client.get("/v1/products")


@pytest.fixture
def write(administrator: httpx.Client) -> Callable[[], httpx.Response]:
    """Makes a product."""
    return lambda: administrator.post("/v1/products", json=new_product())


@contextlib.contextmanager
def locked(house: House, table: str) -> Iterator[None]:
    """Hold a table against writers inside the block."""
    with subprocess.Popen(house.psql(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        session.stdin.write(f"BEGIN; LOCK TABLE {table} IN EXCLUSIVE MODE; SELECT 'locked';\n")
        session.stdin.flush()
        assert session.stdout.readline().strip() == "locked"
        yield
        session.stdin.write("COMMIT;\n")


def new_product() -> dict[str, object]:
    mark = secrets.token_hex(8)
    return {"sku": mark, "name": f"Lamp {mark}", "price": {"amount": 1999, "currency": "BDT"}}


def test_up_says_where_the_whole_and_its_documentation_are(house: House) -> None:
    assert "ready after" in house.first_output
    assert f"{house.url}/docs" in house.first_output
    assert f"{house.url}/reference" in house.first_output


def test_up_names_the_administrator_that_it_made_but_no_given_password(house: House) -> None:
    assert ADMINISTRATOR in house.first_output
    assert PASSWORD not in house.first_output
    with house.administrator() as client:
        assert client.get("/v1/me").json()["roles"] == ["administrator"]


def test_status_names_every_process(house: House) -> None:
    status = json.loads(house.midrise("status", "--json").stdout)

    assert set(status) == {"gateway", "ready", "processes"}
    assert status["gateway"] == house.url
    assert status["ready"] is True
    assert [process["name"] for process in status["processes"]] == NAMES
    for process in status["processes"]:
        assert set(process) == {"name", "pid", "state", "restarts"}
        assert process["state"] == "running"
        assert psutil.pid_exists(process["pid"])


def test_status_is_a_table_for_people(house: House) -> None:
    table = house.midrise("status").stdout
    assert f"{house.url} is ready" in table
    assert all(name in table for name in NAMES)


def test_only_the_gateway_listens_on_a_port(house: House) -> None:
    listening = {
        connection.laddr.port
        for pid in house.processes()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {house.port}


def test_everybody_says_its_name_to_the_database(house: House) -> None:
    names = house.sql("SELECT DISTINCT application_name FROM pg_stat_activity")
    assert all(name in names for name in ("api.1", "api.2", "worker", "postgres.replica.1"))


def test_the_replica_follows(house: House) -> None:
    followers = "SELECT application_name, state FROM pg_stat_replication"
    assert house.sql(followers) == "postgres.replica.1|streaming"


def test_a_second_up_on_the_folder_is_refused_in_one_sentence(house: House) -> None:
    refused = house.midrise("up", "--detach", check=False)
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"Midrise already runs on {house.home}: see midrise status, or stop it with midrise down"
    ]
    assert house.status()["ready"]


def test_logs_show_what_a_process_has_printed(house: House) -> None:
    assert "started streaming WAL" in house.midrise("logs", "postgres.replica.1").stdout
    everything = house.midrise("logs").stdout
    assert any(line.startswith("postgres.primary ") for line in everything.splitlines())
    assert any(line.startswith("supervisor ") for line in everything.splitlines())


def test_logs_of_an_unknown_process_name_the_known_ones(house: House) -> None:
    refused = house.midrise("logs", "api.77", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("There is no log of api.77; there are: ")


@pytest.mark.parametrize("name", ["api.1", "worker", "valkey", "postgres.replica.1"])
def test_a_killed_process_is_back_and_no_read_fails(
    house: House, read: Callable[[], httpx.Response], name: str
) -> None:
    with Load(read, read) as load:
        house.kill(name)
    assert load.failures == []
    assert f"{name} ended (SIGKILL)" in house.midrise("logs", "supervisor").stdout


def test_a_killed_primary_is_back_with_all_that_was_acknowledged(house: House, write) -> None:
    made = write().json()["id"]
    house.kill("postgres.primary")
    with house.client() as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        assert house.sql(f"SELECT count(*) FROM products WHERE id = '{made}'") == "1"
    assert write().status_code == 201


def test_while_the_primary_is_away_calls_wait_or_are_told_when_to_come_back(house: House, write) -> None:
    with Load(write) as load:
        house.kill("postgres.primary")
    assert [failure for failure in load.failures if "503 with Retry-After" not in failure] == []
    assert write().status_code == 201


def test_a_killed_gateway_leaves_no_worker_that_holds_the_port(house: House) -> None:
    gateway = house.process("gateway")["pid"]
    workers = {child.pid for child in psutil.Process(gateway).children()}
    house.kill("gateway")
    wait_for(lambda: not any(psutil.pid_exists(worker) for worker in workers))
    with house.client() as client:
        assert client.get("/livez").status_code == 200


def test_scaling_up_and_down_drops_no_request(house: House, read, write) -> None:
    with Load(read, write) as load:
        assert "3 API instances run" in house.midrise("scale", "api=3").stdout
        assert house.names() == [*NAMES[:-1], "api.3", "gateway"]
        house.midrise("scale", "api=2")
        assert house.names() == NAMES
    assert load.failures == []


@pytest.mark.parametrize("count", ["0", "65"])
def test_scaling_to_an_absurd_number_is_refused(house: House, count: str) -> None:
    refused = house.midrise("scale", f"api={count}", check=False)
    assert refused.returncode == 1
    assert refused.stderr == f"There can be 1 to 64 API instances, not {count}\n"
    assert house.names() == NAMES


def test_a_rolling_restart_drops_no_request(house: House, read, write) -> None:
    before = house.status()["processes"]
    with Load(read, write) as load:
        house.midrise("restart")
    assert load.failures == []
    assert load.answers > 10
    after = house.status()["processes"]
    replaced = {new["name"] for old, new in zip(before, after, strict=True) if old["pid"] != new["pid"]}
    assert replaced == {"api.1", "api.2", "worker"}


def test_a_rolling_restart_of_a_single_instance_drops_no_request(house: House, read, write) -> None:
    house.midrise("scale", "api=1")
    with Load(read, write) as load:
        house.midrise("restart")
    assert load.failures == []
    assert house.names() == [name for name in NAMES if name != "api.2"]
    house.midrise("scale", "api=2")


def test_an_order_that_comes_during_another_is_refused(house: House) -> None:
    first = house.order(Scale(3))
    assert next(first) == Began("api.3", "starting")
    with pytest.raises(Refused, match="are being changed already: try again when that is done"):
        list(house.order(Scale(1)))
    assert list(first)[-1] == Done("3 API instances run")
    list(house.order(Scale(2)))


def test_after_its_supervisor_was_killed_the_house_serves_and_the_next_up_cleans_up(house: House) -> None:
    orphans = house.processes()
    supervisor = house.supervisor()
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(supervisor))
    with house.client() as client:
        assert client.get("/v1/products").status_code == 200

    printed = house.midrise("up", "--detach").stdout

    assert "The last run was killed" in printed
    assert house.processes().isdisjoint(orphans)
    assert house.status()["ready"]


def test_down_leaves_no_process_and_no_socket_and_the_next_start_has_all_data(house: House, write) -> None:
    made = write().json()["id"]

    house.midrise("down")

    assert house.processes() == set()
    assert [path for path in house.home.rglob("*") if path.is_socket()] == []
    assert house.midrise("status", check=False).returncode == 1
    with foreground(house) as process, house.administrator() as client:
        assert house.status()["ready"]
        assert client.get(f"/v1/products/{made}").status_code == 200
        end_while_a_request_is_under_way(house, process, client)
        rest, _ = process.communicate()
    assert process.returncode == 0
    assert "password" not in rest
    assert house.processes() == set()


def end_while_a_request_is_under_way(house: House, process, client: httpx.Client) -> None:
    """Press Ctrl-C while a request waits for a lock; the request is finished before anything ends."""
    answers = []
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with locked(house, "products"):
        request = threading.Thread(
            target=lambda: answers.append(client.post("/v1/products", json=new_product()))
        )
        request.start()
        wait_for(lambda: house.sql(waiting) != "0")
        os.killpg(process.pid, signal.SIGINT)
        wait_for(lambda: "stopping" in {process["state"] for process in house.status()["processes"]})
    request.join()
    assert [answer.status_code for answer in answers] == [201]
