"""Another server of the embedded database becomes the primary: by command, and after it was done by hand."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.topology.house import House, Load, raised, wait_for
from tests.topology.test_postgres import ask

from midrise.topology.background import running
from midrise.topology.errors import CannotStart, Refused
from midrise.topology.floors import Floors
from midrise.topology.places import rewinding_mark
from midrise.topology.plan import Plan
from midrise.topology.postgres import PostgresPrimary, PostgresReplica
from midrise.topology.state import StateFolder

SERVERS = ["postgres.primary", "postgres.replica.1", "postgres.replica.2"]
FOLLOWERS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """The whole with two replicas."""
    with raised(MIDRISE_REPLICAS="2", MIDRISE_INSTANCES="1") as house:
        yield house


def ports(house: House) -> dict[bool, set[int]]:
    """The ports of the servers by whether they follow another."""
    found: dict[bool, set[int]] = {True: set(), False: set()}
    for port in (5432, 5433, 5434):
        found[house.sql("SELECT pg_is_in_recovery()", port=port) == "t"].add(port)
    return found


def make(client, name: str) -> int:
    price = {"amount": 100, "currency": "BDT"}
    return client.post("/v1/products", json={"sku": name, "name": name, "price": price}).status_code


def test_a_promoted_replica_is_the_primary_and_all_others_follow_it(house: House) -> None:
    with house.administrator() as client, house.client() as visitor:
        assert make(client, "before") == 201
        pids = {process["name"]: process["pid"] for process in house.status()["processes"]}
        with Load(lambda: visitor.get("/v1/products")) as load:
            printed = house.midrise("promote", "postgres.replica.2").stdout
        assert load.failures == []
        assert "postgres.replica.2 was promoted: it is postgres.primary now" in printed
        assert ports(house) == {False: {5434}, True: {5432, 5433}}
        assert house.sql(FOLLOWERS) == "2"
        status = json.loads(house.midrise("status", "--json").stdout)
        assert status["ready"]
        assert [process["name"] for process in status["processes"]][:3] == SERVERS
        now = {process["name"]: process["pid"] for process in status["processes"]}
        assert now["postgres.primary"] == pids["postgres.replica.2"]
        assert now["postgres.replica.1"] == pids["postgres.replica.1"]
        assert now["api.1"] == pids["api.1"]
        assert make(client, "after") == 201
        assert house.sql("SELECT count(*) FROM products") == "2"


def test_the_worker_goes_to_the_new_primary(house: House) -> None:
    worker = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'midrise worker jobs'"
    wait_for(lambda: house.sql(worker) == "1")
    assert [house.sql(worker, port=port) for port in (5432, 5433)] == ["0", "0"]


def test_logs_are_those_of_the_server_that_has_the_name(house: House) -> None:
    assert "selected new timeline ID: 2" in house.midrise("logs", "postgres.primary").stdout
    assert "postgres.replica.2 was promoted" in house.midrise("logs", "supervisor").stdout


def test_commands_and_instances_that_start_later_find_the_primary(house: House) -> None:
    house.midrise("migrate")
    house.kill("api.1")
    house.midrise("seed", "--demo", "3")
    assert house.sql("SELECT count(*) FROM products") == "5"


def test_a_killed_server_comes_back_as_what_it_has_become(house: House) -> None:
    for name in SERVERS:
        house.kill(name)
    assert ports(house) == {False: {5434}, True: {5432, 5433}}
    wait_for(lambda: house.sql(FOLLOWERS) == "2")


def test_the_state_folder_remembers_who_is_the_primary(house: House) -> None:
    house.midrise("down")
    house.midrise("up", "--detach")
    assert ports(house) == {False: {5434}, True: {5432, 5433}}
    with house.administrator() as client:
        assert make(client, "second start") == 201
    assert house.sql("SELECT count(*) FROM products") == "6"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("postgres.primary", "postgres.primary is the primary already; there are: postgres.replica.1"),
        ("postgres.replica.7", "There is no replica postgres.replica.7; there are: postgres.replica.1"),
        ("valkey", "There is no replica valkey; there are: postgres.replica.1"),
    ],
)
def test_what_is_no_replica_is_refused_in_one_sentence(house: House, name: str, sentence: str) -> None:
    refused = house.midrise("promote", name, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(sentence)
    assert len(refused.stderr.splitlines()) == 1


def test_a_replica_that_does_not_take_in_everything_is_refused(house: House) -> None:
    house.sql("SELECT pg_wal_replay_pause()", port=5433)
    refused = house.midrise("promote", "postgres.replica.1", check=False)
    assert refused.stderr.startswith("Replay is paused on postgres.replica.1")
    house.sql("SELECT pg_wal_replay_resume()", port=5433)
    house.sql("ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()", port=5433)
    wait_for(lambda: house.sql("SELECT count(*) FROM pg_stat_wal_receiver", port=5433) == "0")
    refused = house.midrise("promote", "postgres.replica.1", check=False)
    assert refused.stderr.startswith("postgres.replica.1 is not streaming from the primary now")
    house.sql("ALTER SYSTEM RESET primary_conninfo; SELECT pg_reload_conf()", port=5433)
    assert ports(house)[False] == {5434}


def test_one_that_was_promoted_by_hand_is_put_in_its_place(house: House) -> None:
    wait_for(lambda: house.sql(FOLLOWERS) == "2")
    house.sql("SELECT pg_promote()", port=5432)
    house.sql("CREATE TABLE written_on_the_old_one (id int)", port=5434)
    with house.administrator() as client:
        wait_for(lambda: make(client, "by hand") in {201, 409})
    refused = house.midrise("promote", "postgres.replica.1", check=False)
    assert refused.stderr.startswith("postgres.replica.2 was promoted by hand before")
    house.midrise("promote", "postgres.replica.2")
    assert ports(house) == {False: {5432}, True: {5433, 5434}}
    wait_for(lambda: house.sql(FOLLOWERS) == "2")
    for port in (5432, 5433, 5434):
        assert house.sql("SELECT to_regclass('written_on_the_old_one') IS NULL", port=port) == "t"
        wait_for(lambda port=port: house.sql("SELECT count(*) FROM products", port=port) == "7")


def test_one_that_was_promoted_by_hand_is_the_primary_at_the_next_start(house: House) -> None:
    house.sql("SELECT pg_promote()", port=5433)
    with house.administrator() as client:
        wait_for(lambda: make(client, "by hand again") in {201, 409})
    house.midrise("down")
    house.midrise("up", "--detach")
    assert ports(house) == {False: {5433}, True: {5432, 5434}}
    assert house.sql("SELECT count(*) FROM products") == "8"


def test_an_outside_database_is_promoted_where_it_is(folder: Path) -> None:
    state = StateFolder(folder)
    plan = Plan(
        *(folder, "127.0.0.1", 1, 1, 1), environment={}, admin_email="", admin_password=None, database_url="x"
    )
    floors = Floors(plan, state, tell=lambda _: None)
    floors._is_raised = True
    with pytest.raises(Refused, match="The database is an outside one: promote its replica there"):
        asyncio.run(floors.promote("postgres.replica.1", tell=lambda _: None))


@pytest.fixture
def pair(folder: Path) -> tuple[PostgresPrimary, PostgresReplica]:
    primary = PostgresPrimary(folder / "postgres" / "primary", sockets=folder / "s", shared_buffers_mib=16)
    replica = PostgresReplica(1, folder / "postgres" / "replica.1", primary=primary, shared_buffers_mib=16)
    return primary, replica


def turned(pair: tuple[PostgresPrimary, PostgresReplica]) -> tuple[PostgresPrimary, PostgresReplica]:
    """The same servers, each as what the other was."""
    old, new = pair
    primary = PostgresPrimary(new.folder, sockets=new.sockets, port=new.port, shared_buffers_mib=16)
    return primary, PostgresReplica(1, old.folder, primary=primary, port=old.port, shared_buffers_mib=16)


def test_an_old_primary_that_went_on_alone_is_rewound(folder: Path, pair) -> None:
    old, new = pair
    with running(old, new, logs=folder / "logs"):
        ask(old, "CREATE TABLE both (id int)")
        ask(new, "SELECT pg_promote()", role="postgres")
        ask(old, "CREATE TABLE alone (id int)")
        ask(new, "CREATE TABLE later (id int)")
    primary, replica = turned(pair)
    (replica.folder / "kept").touch()
    with running(primary, replica, logs=folder / "logs"):
        wait_for(lambda: ask(replica, "SELECT to_regclass('later') IS NOT NULL") == "t")
        assert ask(replica, "SELECT to_regclass('alone') IS NULL") == "t"
    assert not rewinding_mark(replica.folder).exists()


def test_an_old_primary_that_can_not_be_rewound_is_copied_anew(folder: Path, pair) -> None:
    old, new = pair
    with running(old, new, logs=folder / "logs"):
        ask(new, "SELECT pg_promote()", role="postgres")
        ask(old, "CREATE TABLE alone (id int)")
    primary, replica = turned(pair)
    rewinding_mark(replica.folder).touch()
    shutil.rmtree(replica.folder / "base")
    with running(primary, replica, logs=folder / "logs"):
        assert ask(replica, "SELECT to_regclass('alone') IS NULL") == "t"
    assert not rewinding_mark(replica.folder).exists()


def test_nothing_is_copied_over_a_replica_that_was_promoted(folder: Path, pair) -> None:
    old, new = pair
    with running(old, new, logs=folder / "logs"):
        ask(new, "SELECT pg_promote()", role="postgres")
        ask(new, "CREATE TABLE precious (id int)")
    sentence = "postgres.replica.1 was promoted .* make it the primary with midrise promote postgres.replica.1"
    with running(old, logs=folder / "logs"):
        for attempt in (new.prepare, new.make_anew):
            with pytest.raises(CannotStart, match=sentence):
                asyncio.run(attempt())
    with running(turned(pair)[0], logs=folder / "logs"):
        assert ask(new, "SELECT to_regclass('precious') IS NOT NULL") == "t"
