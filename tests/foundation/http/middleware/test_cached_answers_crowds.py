"""A thousand at once, and a commit that takes its time: what is read once, and what is kept meanwhile."""

import asyncio
from collections import Counter

import asyncpg
import pytest
from prometheus_client import REGISTRY
from tests.foundation.http.middleware.asgi_calls import call
from tests.foundation.http.middleware.test_cached_answers import BY_ID, FROM_CACHE, kept, outcomes
from tests.foundation.waiting import until

pytestmark = pytest.mark.anyio


async def stampede(application, client, path: str, *, without_leader: bool = False) -> tuple[int, list[int]]:
    """A thousand requests at once for what nobody remembers; how many queries that were, and the statuses."""
    await kept(client, "/v1/config", "/v1/config")  # the cache is on
    before, started = outcomes(BY_ID), reads()
    requests = [asyncio.create_task(call(application, path)) for _ in range(1000)]
    if without_leader:
        # It is under way when it has taken a connection to read on.
        await until(lambda: reads() > started)
        requests.pop(0).cancel()
    answers = await asyncio.gather(*requests)
    # On a busy machine this process may not hear in time that the cache is on, and read past it.
    bypassed = (outcomes(BY_ID) - before)["bypass"]
    return int(reads() - started) - bypassed, [answer.status for answer in answers]


def reads() -> float:
    families = (family for family in REGISTRY.collect() if family.name == "midrise_reads")
    return sum(
        sample.value for family in families for sample in family.samples if sample.name.endswith("_total")
    )


async def test_d12_a_thousand_misses_at_once_are_one_query(application, client, admin, product):
    path, counts = f"/v1/products/{product['id']}", []
    for number in range(3):
        await admin.patch(path, json={"name": f"Mug {number}"})
        queries, statuses = await stampede(application, client, path)
        assert statuses == [200] * 1000
        counts.append(queries)
    # While another test has a transaction under way nothing may be kept: then it takes one more, for those who
    # came after the first was begun.
    assert min(counts) <= 1
    assert max(counts) <= 2


async def test_d12_who_waits_for_a_leader_that_goes_away_is_answered_all_the_same(application, client, product):
    path = f"/v1/products/{product['id']}"
    queries, statuses = await stampede(application, client, path, without_leader=True)
    assert statuses == [200] * 999
    # The leader's own, which was on its way when the leader went and counts here, and one for all the others.
    assert queries <= 2


async def test_d12_a_long_transaction_sends_nobody_to_the_database_alone(
    application, client, admin, product, database_url
):
    path = f"/v1/products/{product['id']}"
    await kept(client, "/v1/config", "/v1/config")
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_current_xact_id()")
            # Begun after that, and so nothing of today can be kept before it ends.
            assert (await admin.patch(path, json={"name": "Another"})).status_code == 200
            queries, statuses = await stampede(application, client, path)
    finally:
        await connection.close()
    assert statuses == [200] * 1000
    assert queries <= 2


async def test_d12_a_table_that_is_locked_is_asked_twice_and_not_a_thousand_times(
    application, client, product, database_url
):
    await kept(client, "/v1/config", "/v1/config")
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE products IN ACCESS EXCLUSIVE MODE")
            queries, statuses = await stampede(application, client, f"/v1/products/{product['id']}")
    finally:
        await connection.close()
    assert statuses == [503] * 1000
    assert queries <= 2


async def test_d13_a_thousand_at_once_without_a_cache_are_two_queries(start_application, product):
    client = await start_application(redis={"url": "redis://127.0.0.1:1"})
    application, path = client._transport.app, f"/v1/products/{product['id']}"
    started = reads()
    answers = await asyncio.gather(*(call(application, path) for _ in range(1000)))
    assert {answer.status for answer in answers} == {200}
    assert {answer.body for answer in answers} == {(await client.get(path)).content}
    assert reads() - started <= 3


async def test_without_a_cache_whoever_has_seen_something_or_is_known_reads_alone(admin, uncached, product):
    path = f"/v1/products/{product['id']}"
    known = {"Authorization": admin.headers["Authorization"]}
    seen = {"Consistency-Token": (await uncached.get(path)).headers["Consistency-Token"]}
    for headers in (known, seen):
        before = outcomes(BY_ID)
        await asyncio.gather(*(uncached.get(path, headers=headers) for _ in range(5)))
        assert outcomes(BY_ID) - before == Counter(bypass=5)


async def test_a_change_makes_old_what_is_kept_before_its_commit_and_nothing_is_kept_meanwhile(
    client, admin, product, held_commits
):
    path = f"/v1/products/{product['id']}"
    assert (await kept(client, path, BY_ID)).json()["name"] == product["name"]
    async with held_commits() as waits:
        changing = asyncio.create_task(admin.patch(path, json={"name": "Another"}))
        await until(waits)
        before = outcomes(BY_ID)
        names = [(await client.get(path)).json()["name"] for _ in range(5)]
        assert names == [product["name"]] * 5
        assert not any((outcomes(BY_ID) - before)[outcome] for outcome in FROM_CACHE)
    assert (await changing).status_code == 200
    assert (await client.get(path)).json()["name"] == "Another"
