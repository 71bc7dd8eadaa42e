"""The cache client with a server that is gone, hangs, talks nonsense or keeps others out."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from midrise.foundation.cache.client import CacheUnavailable, ValkeyCache
from midrise.foundation.cache.endpoint import CacheEndpoint
from midrise.foundation.cache.settings import CacheSettings

pytestmark = pytest.mark.anyio

FOR_EVER = 3600.0


@contextlib.asynccontextmanager
async def open_cache(url: str, **changes: float) -> AsyncIterator[ValkeyCache]:
    budgets = {"call_budget_seconds": 10.0, "connect_budget_seconds": 10.0, "rest_seconds": 0.0} | changes
    cache = ValkeyCache(CacheSettings(CacheEndpoint.parse(url), process="test.1", **budgets))
    try:
        yield cache
    finally:
        await cache.close()


async def ping_until_well(cache: ValkeyCache) -> None:
    async with asyncio.timeout(30):
        while cache.is_away:
            with contextlib.suppress(CacheUnavailable):
                await cache.ping()


async def test_a_killed_server_is_unavailable_and_comes_back(start_valkey):
    server = start_valkey()
    async with open_cache(server.url) as cache:
        await cache.execute("SET", "a", 1)
        server.kill()
        for _ in range(3):
            with pytest.raises(CacheUnavailable):
                await cache.execute("GET", "a")
        assert cache.is_away
        server.start()
        await ping_until_well(cache)
        assert await cache.execute("GET", "a") is None


async def test_a_restart_between_two_calls_is_not_noticed(start_valkey):
    server = start_valkey()
    async with open_cache(server.url) as cache:
        await asyncio.gather(*(cache.ping() for _ in range(10)))
        server.kill()
        server.start()
        await asyncio.gather(*(cache.ping() for _ in range(10)))
        assert not cache.is_away


async def test_a_frozen_server_costs_each_caller_its_budget_at_most(start_valkey):
    server = start_valkey()
    async with open_cache(server.url, call_budget_seconds=0.5) as cache:
        await cache.ping()
        server.freeze()
        calls = [cache.execute("GET", "a") for _ in range(200)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(outcome, CacheUnavailable) for outcome in outcomes)
        server.thaw()
        await ping_until_well(cache)
        assert await cache.execute("ECHO", "fresh") == b"fresh"


async def test_after_a_failure_the_others_do_not_wait(start_valkey):
    server = start_valkey()
    async with open_cache(server.url, call_budget_seconds=0.2, rest_seconds=FOR_EVER) as cache:
        await cache.ping()
        server.freeze()
        with pytest.raises(CacheUnavailable):
            await cache.execute("GET", "a")
        started = time.monotonic()
        for _ in range(1000):
            with pytest.raises(CacheUnavailable):
                await cache.execute("GET", "a")
        assert time.monotonic() - started < 1000 * 0.2 / 10
        server.thaw()


async def test_one_call_tries_again_while_the_others_go_on_without(fake_server):
    reached = 0

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        await reader.read()

    async with fake_server(hang) as url, open_cache(url, call_budget_seconds=0.2, rest_seconds=0.3) as cache:
        for expected in (1, 2):
            await asyncio.gather(
                *(cache.execute("GET", "a") for _ in range(1 if expected == 1 else 100)),
                return_exceptions=True,
            )
            assert reached == expected
            await asyncio.sleep(cache._resting_until - time.monotonic() + 0.01)


async def test_a_good_ping_ends_the_rest(start_valkey):
    server = start_valkey()
    async with open_cache(server.url, call_budget_seconds=0.2, rest_seconds=FOR_EVER) as cache:
        server.freeze()
        with pytest.raises(CacheUnavailable):
            await cache.execute("GET", "a")
        server.thaw()
        await ping_until_well(cache)
        assert await cache.execute("GET", "a") is None


JUNK = [
    b"",
    b"garbage\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n<html>",
    b"\x00\xff\xfe\r\n" * 100,
    b"$-5\r\n",
    b"$99999999999\r\n",
    b"*1000000\r\n",
    b":nine\r\n",
    b"-\r\n" * 50,
    b"-LOADING the dataset\r\n" * 50,
    b"-READONLY replica\r\n" * 50,
    b"+OK\r\n" * 50,
    b":1\r\n" * 50,
    b"$-1\r\n" * 50,
    b"*" * 10_000,
]


@pytest.mark.parametrize("junk", JUNK, ids=[repr(junk[:24]) for junk in JUNK])
async def test_nonsense_is_unavailable(fake_server, junk):
    async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(junk)
        await writer.drain()

    async with fake_server(talk_nonsense) as url, open_cache(url, call_budget_seconds=0.2) as cache:
        for _ in range(3):
            with pytest.raises(CacheUnavailable):
                await cache.ping()
        assert cache.is_away


async def test_a_server_that_talks_without_end_is_unavailable(fake_server):
    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"$500000000\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with fake_server(flood) as url, open_cache(url, call_budget_seconds=0.2) as cache:
        with pytest.raises(CacheUnavailable):
            await cache.ping()


async def test_a_password_is_used_and_never_told(start_valkey):
    server = start_valkey("--requirepass", "hunter2")
    with capture_logs() as logs:
        async with open_cache(server.url.replace("unix://", "unix://:hunter2@")) as cache:
            await cache.ping()
        async with open_cache(server.url.replace("unix://", "unix://:hunter3@")) as cache:
            with pytest.raises(CacheUnavailable) as unavailable:
                await cache.ping()
            assert "hunter" not in repr(cache._settings)
        async with open_cache(server.url) as cache:
            with pytest.raises(CacheUnavailable):
                await cache.ping()
    told = f"{logs} {unavailable.value!r} {unavailable.value.__cause__!r}"
    assert "hunter" not in told


async def test_trouble_is_told_once_and_its_end_too(start_valkey):
    server = start_valkey()
    with capture_logs() as logs:
        async with open_cache(server.url) as cache:
            server.kill()
            for _ in range(5):
                with pytest.raises(CacheUnavailable):
                    await cache.ping()
            server.start()
            await ping_until_well(cache)
    assert [entry["event"] for entry in logs] == ["cache.away", "cache.back"]
