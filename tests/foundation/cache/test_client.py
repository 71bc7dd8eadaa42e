"""The cache client on a real server: commands, scripts, names, cancelled callers."""

import asyncio
import random
import secrets

import pytest
from redis.exceptions import ResponseError

from midrise.foundation.cache.client import CacheUnavailable, Script, ValkeyCache
from midrise.foundation.cache.endpoint import CacheEndpoint
from midrise.foundation.cache.settings import CacheSettings

pytestmark = pytest.mark.anyio

ADD = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


def settings_for(url: str, **changes) -> CacheSettings:
    patient = {"call_budget_seconds": 10, "connect_budget_seconds": 10} | changes
    return CacheSettings(CacheEndpoint.parse(url), **({"process": "test.1"} | patient))


@pytest.fixture
async def cache(valkey_url):
    cache = ValkeyCache(settings_for(valkey_url))
    yield cache
    await cache.close()


@pytest.fixture
def key():
    return f"test:{secrets.token_hex(8)}"


async def test_a_value_comes_back_as_bytes(cache, key):
    await cache.execute("SET", key, "আম", "PX", 60_000)
    assert await cache.execute("GET", key) == "আম".encode()


async def test_it_says_its_name(cache):
    assert await cache.execute("CLIENT", "GETNAME") in {b"test.1", "test.1"}


async def test_a_script_runs_also_after_the_server_forgot_it(cache, key):
    assert await cache.run(ADD, keys=[key], arguments=[2]) == 2
    await cache.execute("SCRIPT", "FLUSH")
    assert await cache.run(ADD, keys=[key], arguments=[3]) == 5
    assert not cache.is_away


async def test_many_callers_share_one_connection(valkey_url, key):
    cache = ValkeyCache(settings_for(valkey_url, process="test.few"))
    await asyncio.gather(*(cache.run(ADD, keys=[key], arguments=[1]) for _ in range(500)))
    assert await cache.execute("GET", key) == b"500"
    clients = (await cache.execute("CLIENT", "LIST")).decode().splitlines()
    assert sum("name=test.few" in client for client in clients) == 1
    await cache.close()


async def test_callers_that_go_away_never_get_another_ones_answer(cache, key):
    for number in range(20):
        await cache.execute("SET", f"{key}:{number}", number, "PX", 60_000)

    async def read(number: int) -> None:
        call = asyncio.create_task(cache.execute("GET", f"{key}:{number}"))
        for _ in range(random.randrange(12)):
            await asyncio.sleep(0)
        if random.random() < 0.5:
            call.cancel()
        await asyncio.wait([call])
        assert call.cancelled() or call.result() == str(number).encode()

    await asyncio.gather(*(read(random.randrange(20)) for _ in range(2000)))
    assert await cache.execute("GET", f"{key}:7") == b"7"
    assert not cache.is_away


async def test_a_second_process_does_not_disturb(valkey_url, cache, key):
    other = ValkeyCache(settings_for(valkey_url))
    await other.execute("SET", key, 1)
    assert await cache.execute("GET", key) == b"1"
    await other.close()


async def test_a_command_that_the_server_refuses_is_no_answer(cache, key):
    await cache.execute("SET", key, "text")
    with pytest.raises(CacheUnavailable) as unavailable:
        await cache.execute("INCR", key)
    assert isinstance(unavailable.value.__cause__, ResponseError)


async def test_a_wrong_database_is_unavailable(valkey_url):
    cache = ValkeyCache(settings_for(f"{valkey_url.partition('?')[0]}?db=9999"))
    with pytest.raises(CacheUnavailable):
        await cache.ping()
    await cache.close()
