"""Reads on a real replica whose replay is paused, as seen over HTTP."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY
from tests.conftest import ADMIN_EMAIL, PASSWORD, log_in
from tests.servers import REPLICA_PORT, database_url

pytestmark = pytest.mark.anyio

UNHEARD_OF = itertools.count(1_000_000)
"""Prices that nobody has asked for before."""

MERGE = {"Content-Type": "application/merge-patch+json"}
END_OUR_CONNECTIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'midrise tests%'
"""


class Replica:
    """The shared replica, as its operator sees it."""

    def __init__(self, connection: asyncpg.Connection, primary: asyncpg.Connection) -> None:
        self._connection = connection
        self._primary = primary

    async def pause(self) -> None:
        await self._connection.execute("SELECT pg_wal_replay_pause()")
        paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
        while not await self._connection.fetchval(paused):  # noqa: ASYNC110  the replica tells nobody
            await asyncio.sleep(0.01)

    async def resume(self) -> None:
        await self._connection.execute("SELECT pg_wal_replay_resume()")

    async def catch_up(self) -> None:
        """Wait until everything that is committed now is replayed."""
        end = await self._primary.fetchval("SELECT pg_current_wal_insert_lsn()::text")
        caught_up = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"
        while not await self._connection.fetchval(caught_up, end):  # noqa: ASYNC110  the same
            await asyncio.sleep(0.01)


@pytest.fixture
async def replica(sockets, emptier) -> AsyncIterator[Replica]:
    url = database_url(sockets, "postgres", role="postgres", port=REPLICA_PORT)
    connection = await asyncpg.connect(url)
    replica = Replica(connection, emptier)
    await replica.resume()
    await replica.catch_up()
    yield replica
    await replica.resume()
    await connection.close()


@pytest.fixture
async def visitor(start_application, settings, sockets, worker_number, replica) -> httpx.AsyncClient:
    """A visitor of an application that reads from the replica."""
    url = database_url(sockets, f"midrise_test_{worker_number}", port=REPLICA_PORT)
    return await start_application(replica={"urls": [url]})


@pytest.fixture
async def visitor_elsewhere(start_application, sockets, worker_number, replica) -> httpx.AsyncClient:
    """A visitor of another instance like that, which learns of writes by its polls alone."""
    url = database_url(sockets, f"midrise_test_{worker_number}", port=REPLICA_PORT)
    return await start_application(replica={"urls": [url]})


@pytest.fixture
async def bearer(admin, visitor) -> dict[str, str]:
    return {"Authorization": f"Bearer {await log_in(visitor, ADMIN_EMAIL)}"}


def product(number: int) -> dict[str, object]:
    return {
        "sku": f"SKU-{number}",
        "name": f"Mug {number}",
        "status": "active",
        "price": {"amount": 100, "currency": "BDT"},
    }


def reads_on_replica() -> float:
    counted = (family for family in REGISTRY.collect() if family.name == "midrise_reads")
    return sum(
        sample.value
        for family in counted
        for sample in family.samples
        if sample.name == "midrise_reads_total" and sample.labels["server"] != "primary"
    )


async def list_anew(client: httpx.AsyncClient) -> httpx.Response:
    """List products as nobody has before, so that no cache has the answer."""
    return await client.get("/v1/products", params={"price_max": next(UNHEARD_OF)})


async def read_from_replica(client: httpx.AsyncClient) -> httpx.Response:
    """Ask until it was the replica that answered: it may have to catch up first."""
    async with asyncio.timeout(20):
        while True:
            before = reads_on_replica()
            answer = await list_anew(client)
            if reads_on_replica() > before:
                return answer
            await asyncio.sleep(0.02)


async def test_what_may_lag_is_read_from_the_replica(visitor):
    assert (await read_from_replica(visitor)).json()["items"] == []


async def test_a_client_that_sends_its_token_reads_what_it_wrote_though_replay_is_paused(
    visitor, bearer, replica
):
    await replica.catch_up()
    await replica.pause()
    token: dict[str, str] = {}
    for number in range(20):
        made = await visitor.post("/v1/products", json=product(number), headers=bearer | token)
        token = {"Consistency-Token": made.headers["consistency-token"]}
        seen = await visitor.get(made.headers["location"], headers=token)
        assert seen.status_code == 200
        listed = await visitor.get("/v1/products?limit=100", headers=token)
        assert len(listed.json()["items"]) == number + 1


async def test_a_known_caller_without_a_token_reads_what_it_wrote(visitor, bearer, replica):
    await replica.catch_up()
    await replica.pause()
    for number in range(5):
        made = await visitor.post("/v1/products", json=product(number), headers=bearer)
        assert (await visitor.get(made.headers["location"], headers=bearer)).status_code == 200


@pytest.mark.parametrize("is_flushed", [False, True], ids=["cache stays", "cache flushed between"])
@pytest.mark.parametrize("sends_token", [False, True], ids=["no token", "an old token"])
async def test_a_session_reads_on_one_instance_what_it_wrote_on_another(
    visitor, visitor_elsewhere, bearer, replica, flush_cache, sends_token, is_flushed
):
    """Roles are not cached: nothing but the generation of what the session wrote tells the other instance.

    Of two tabs with a token each, one says nothing of what the other wrote.
    """
    missed = []
    for number in range(8):
        await replica.resume()
        await replica.catch_up()
        known = await read_from_replica(visitor_elsewhere)
        token = {"Consistency-Token": known.headers["consistency-token"]} if sends_token else {}
        await replica.pause()
        role = {"name": f"role-{number}", "description": "", "permissions": []}
        made = await visitor.post("/v1/roles", json=role, headers=bearer)
        assert made.status_code == 201, made.text
        if is_flushed:
            await flush_cache()
        seen = await visitor_elsewhere.get("/v1/roles?limit=100", headers=bearer | token)
        if role["name"] not in [each["name"] for each in seen.json()["items"]]:
            missed.append(number)
    assert missed == []


@pytest.mark.parametrize("spelling", ["/{id}", "/{ID}", "/{hex}", "/{{{id}}}"])
async def test_however_it_is_asked_for_nobody_is_shown_what_was_before_a_commit(
    visitor, visitor_elsewhere, bearer, replica, spelling
):
    """The other instance learns by a poll where the log ends: what keeps the replica away is the generation."""
    made = (await visitor.post("/v1/products", json=product(1), headers=bearer)).json()
    written = made["id"]
    spelt = {"id": written, "ID": written.upper(), "hex": written.replace("-", "")}
    missed = []
    for number in range(8):
        await replica.resume()
        await replica.catch_up()
        await read_from_replica(visitor_elsewhere)
        await replica.pause()
        change = {"name": f"Mug of {number}"}
        changed = await visitor.patch(f"/v1/products/{written}", json=change, headers=bearer | MERGE)
        assert changed.status_code == 200, changed.text
        seen = await visitor_elsewhere.get(f"/v1/products{spelling.format(**spelt)}")
        if change["name"] not in seen.text:
            missed.append(seen.text)
    assert missed == []


async def test_a_log_in_is_in_the_audit_at_once(visitor, bearer, replica):
    await replica.catch_up()
    await replica.pause()
    for number in range(3, 8):  # two have been made for the test
        body = {"email": ADMIN_EMAIL, "password": PASSWORD}
        answer = await visitor.post("/v1/auth/login", json=body)
        seen = await visitor.get(
            "/v1/audit?action=session:started",
            headers=bearer | {"Consistency-Token": answer.headers["consistency-token"]},
        )
        assert len(seen.json()["items"]) == number


@pytest.fixture
async def visitor_without_cache(start_application, sockets, worker_number, replica) -> httpx.AsyncClient:
    url = database_url(sockets, f"midrise_test_{worker_number}", port=REPLICA_PORT)
    return await start_application(replica={"urls": [url]}, redis={"url": "redis://127.0.0.1:1"})


async def test_while_the_cache_is_off_a_visitor_is_shown_what_another_instance_has_just_stored(
    visitor_without_cache, admin, replica
):
    made = await admin.post("/v1/products", json=product(1))
    await replica.catch_up()
    await replica.pause()
    for number in range(30):
        await admin.patch(made.headers["location"], json={"name": str(number)})
        seen = await visitor_without_cache.get(made.headers["location"])
        listed = await visitor_without_cache.get("/v1/products")
        assert [each["name"] for each in (seen.json(), *listed.json()["items"])] == [str(number)] * 2


async def test_a_token_of_a_read_is_never_followed_by_an_older_state(visitor, bearer, replica, application):
    made = await visitor.post("/v1/products", json=product(1), headers=bearer)
    await replica.catch_up()
    await replica.pause()
    changed = await visitor.patch(made.headers["location"], json={"name": "Cup"}, headers=bearer)
    seen = await visitor.get(made.headers["location"], headers=bearer)
    assert seen.json()["name"] == changed.json()["name"] == "Cup"
    token = {"Consistency-Token": seen.headers["consistency-token"]}
    for _ in range(20):
        assert (await visitor.get(made.headers["location"], headers=token)).json()["name"] == "Cup"


async def test_that_something_is_gone_is_seen_as_well(visitor, bearer, replica):
    made = await visitor.post("/v1/products", json=product(1), headers=bearer)
    await replica.catch_up()
    await replica.pause()
    gone = await visitor.delete(made.headers["location"], headers=bearer)
    token = {"Consistency-Token": gone.headers["consistency-token"]}
    answer = await visitor.get(made.headers["location"], headers=token)
    assert answer.status_code == 404
    token = {"Consistency-Token": answer.headers["consistency-token"]}
    assert (await visitor.get(made.headers["location"], headers=token)).status_code == 404


async def test_every_answer_carries_a_token(visitor):
    for path in ("/v1/products", "/v1/products/nothing", "/v1/me", "/v1/nothing", "/v1/audit?x=1"):
        assert (await visitor.get(path)).headers["consistency-token"]


async def test_a_token_that_was_changed_is_refused(visitor):
    token = (await visitor.get("/v1/products")).headers["consistency-token"]
    other = token[:-1] + ("A" if token[-1] != "A" else "E")
    for wrong in (other, token + "A", "x", "é"):
        answer = await visitor.get("/v1/products", headers={"Consistency-Token": wrong.encode()})
        assert answer.status_code == 400
        assert answer.json()["code"] == "invalid_consistency_token"
        assert answer.headers["consistency-token"]


@pytest.mark.parametrize("path", ["//v1/products", "///v1//products", "/v1/products/"])
async def test_no_spelling_of_a_path_gets_around_that(visitor, path):
    async with httpx.AsyncClient(transport=visitor._transport, base_url="http://test") as stranger:
        asked = f"http://test{path}"
        assert (await stranger.get(asked)).headers["consistency-token"]
        refused = await stranger.get(asked, headers={"Consistency-Token": "x"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_consistency_token")


async def test_a_token_of_another_database_is_served_by_the_primary(client, visitor):
    # The application without replicas knows no system: its token says nothing.
    token = (await client.get("/v1/products")).headers["consistency-token"]
    assert (await visitor.get("/v1/products", headers={"Consistency-Token": token})).status_code == 200


async def test_a_replica_that_goes_away_is_not_noticed_and_taken_again_when_it_is_back(
    visitor, replica, emptier, sockets
):
    await read_from_replica(visitor)
    url = database_url(sockets, "postgres", role="postgres", port=REPLICA_PORT)
    operator = await asyncpg.connect(url)
    try:
        for _ in range(20):
            await operator.execute(END_OUR_CONNECTIONS)
            answers = await asyncio.gather(*(list_anew(visitor) for _ in range(10)))
            assert {answer.status_code for answer in answers} == {200}
        await read_from_replica(visitor)
    finally:
        await operator.close()
