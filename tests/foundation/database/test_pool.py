"""Connections say who they are, are bounded, are waited for within bounds, and all come back."""

import asyncio
import contextlib
import random
import time

import pytest
from tests.foundation.waiting import until

from midrise.foundation.database import PoolSettings, connect
from midrise.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio

AT_ONCE_SECONDS = 2.0
"""Far below the 5 s that a caller waits by default, far above what a busy machine needs."""


async def test_nothing_is_connected_to_before_it_is_needed(open_pool, onlooker):
    pool = open_pool(url="postgresql://nobody@/nothing?host=/nowhere")
    assert pool.in_use == 0


async def test_a_connection_says_who_it_is_and_how_long_it_may_take(open_pool):
    async with open_pool(statement_timeout_seconds=7, lock_timeout_seconds=3).connection() as connection:
        shown = {
            name: await connection.fetchval(f"SHOW {name}")
            for name in (
                *("application_name", "statement_timeout", "lock_timeout", "timezone", "jit"),
                *("idle_in_transaction_session_timeout", "default_transaction_read_only"),
            )
        }
    assert shown == {
        "application_name": "midrise playground",
        "statement_timeout": "7s",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "7s",
        "default_transaction_read_only": "off",
        "TimeZone".lower(): "UTC",
        "jit": "off",
    }


async def test_json_comes_and_goes_as_values(open_pool):
    async with open_pool().connection() as connection:
        assert await connection.fetchval("SELECT $1::jsonb", {"a": [1, None, "ক"]}) == {"a": [1, None, "ক"]}


async def test_a_connection_is_waited_for_and_no_longer_than_said(open_pool):
    pool = open_pool(largest_size=1, acquire_timeout_seconds=0.05)
    async with pool.connection():
        started = time.monotonic()
        with pytest.raises(Unavailable):
            async with pool.connection():
                pytest.fail("there is none to lend")
        assert time.monotonic() - started < AT_ONCE_SECONDS
        assert pool.in_use == 1
    assert pool.in_use == 0
    async with pool.connection():
        assert pool.in_use == 1


async def test_who_waits_gets_what_is_given_back(open_pool):
    pool = open_pool(largest_size=1)
    order = []

    async def use(number):
        async with pool.connection():
            order.append(number)

    async with pool.connection():
        waiting = [asyncio.create_task(use(number)) for number in range(5)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert order == [0, 1, 2, 3, 4]


async def test_who_asks_next_gets_the_one_that_came_back_last(open_pool):
    pool = open_pool()
    async with pool.connection() as first, pool.connection() as second:
        pids = [await each.fetchval("SELECT pg_backend_pid()") for each in (first, second)]
    async with pool.connection() as again:
        assert await again.fetchval("SELECT pg_backend_pid()") == pids[0]


async def test_a_transaction_that_was_left_open_is_not_lent_with_the_connection(open_pool):
    pool = open_pool(largest_size=1)
    async with pool.connection() as connection:
        await connection.execute("BEGIN")
    async with pool.connection() as connection:
        assert not connection.is_in_transaction()


async def test_connections_that_nobody_asks_for_are_given_back_to_be_closed(open_pool, monkeypatch):
    monkeypatch.setattr("midrise.foundation.database.places._AT_HAND_SECONDS", 0.01)
    pool = open_pool()
    await borrow(pool)
    await until(lambda: pool._places.pool.get_idle_size() == 1)
    await borrow(pool)


async def test_connections_that_were_thrown_away_end(open_pool, onlooker):
    pool = open_pool()
    async with pool.connection() as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
    pool.throw_away()
    await until(no_backend_has(onlooker, pid))
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") != pid


async def test_only_so_many_may_wait(open_pool):
    pool = open_pool(largest_size=1, most_waiting=3)
    async with pool.connection():
        waiting = [asyncio.create_task(borrow(pool)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await borrow(pool)
    await asyncio.gather(*waiting)


@pytest.mark.parametrize("largest_size", [1, 5])
async def test_cancelled_borrowers_give_back_and_leave_the_line(open_pool, onlooker, largest_size):
    pool = open_pool(largest_size=largest_size)
    chance = random.Random(largest_size)

    async def work():
        async with pool.connection() as connection:
            await connection.fetchval("SELECT pg_sleep(0.002)")

    for _ in range(4):
        tasks = [asyncio.create_task(work()) for _ in range(50)]
        await asyncio.sleep(chance.uniform(0, 0.02))
        for task in tasks:
            await asyncio.sleep(chance.choice([0, 0, 0.001]))
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    await until(lambda: pool.in_use == 0)
    assert pool._waiting == 0
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(largest_size):
            await stack.enter_async_context(pool.connection())
        assert pool.in_use == largest_size
    await until(no_backend_is_busy(onlooker))


async def test_a_connection_that_was_cut_is_not_lent_again(open_pool, onlooker):
    pool = open_pool(largest_size=1)
    async with pool.connection() as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
    await onlooker.fetchval("SELECT pg_terminate_backend($1, 5000)", pid)
    await until(connection_is_gone(pool))
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") != pid


async def test_a_connection_that_breaks_in_use_comes_back_as_a_new_one(open_pool):
    pool = open_pool(largest_size=1)
    with contextlib.suppress(Exception):
        async with pool.connection() as connection:
            await connection.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
    assert pool.in_use == 0
    async with pool.connection() as connection:
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody@/nothing?host=/nowhere",
        "postgresql://nobody@127.0.0.1:1/nothing",
    ],
)
async def test_a_server_that_is_away_is_unavailable(open_pool, url):
    with pytest.raises(Unavailable):
        await borrow(open_pool(url=url))


async def test_a_database_that_is_not_there_is_unavailable(open_pool, playground_url):
    with pytest.raises(Unavailable):
        await borrow(open_pool(url=playground_url.replace("midrise_playground", "midrise_nothing")))


async def test_a_server_that_never_answers_is_given_up(open_pool):
    async def say_nothing(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = open_pool(url=f"postgresql://nobody@127.0.0.1:{port}/x", connect_timeout_seconds=0.1)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await borrow(pool)
    assert time.monotonic() - started < AT_ONCE_SECONDS
    server.close()


async def test_a_closed_pool_can_be_used_again(open_pool):
    pool = open_pool()
    await borrow(pool)
    await pool.close()
    await pool.close()
    await borrow(pool)


async def test_a_connection_of_ones_own_has_the_same_settings(playground_url):
    connection = await connect(PoolSettings(playground_url, "midrise alone", read_only=True))
    try:
        assert await connection.fetchval("SHOW application_name") == "midrise alone"
        assert await connection.fetchval("SHOW default_transaction_read_only") == "on"
    finally:
        await connection.close()


def test_settings_do_not_show_the_password():
    assert "canary" not in repr(PoolSettings("postgresql://midrise:canary@db/midrise", "midrise"))


async def borrow(pool):
    async with pool.connection():
        pass


def connection_is_gone(pool):
    return lambda: pool._places.pool.get_size() == 0


def no_backend_is_busy(onlooker):
    async def ask() -> bool:
        question = "SELECT count(*) = 0 FROM pg_stat_activity WHERE state <> 'idle' AND application_name = $1"
        return await onlooker.fetchval(question, "midrise playground")

    return ask


def no_backend_has(onlooker, pid):
    async def ask() -> bool:
        return await onlooker.fetchval("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1", pid)

    return ask
