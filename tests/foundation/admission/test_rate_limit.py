"""Rate limits: the same rule on the cache and in the process, shared by all instances, never switched off."""

import asyncio
import secrets
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midrise.foundation.admission.limits import LimitName, RateLimit
from midrise.foundation.admission.rate_limit import (
    FallbackRateLimiter,
    LocalRateLimiter,
    RateLimiter,
    ValkeyRateLimiter,
)
from midrise.foundation.cache import CacheEndpoint, CacheSettings, CacheUnavailable, ValkeyCache

pytestmark = pytest.mark.anyio

TEN_AN_HOUR = {LimitName.DEFAULT: RateLimit(10, 3600)}


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now_us = 5_000_000

    def __call__(self) -> int:
        return self.now_us * 1000


def open_cache(url: str) -> ValkeyCache:
    return ValkeyCache(
        CacheSettings(
            CacheEndpoint.parse(url),
            process="test.1",
            connect_budget_seconds=10,
            call_budget_seconds=10,
            rest_seconds=0,
        )
    )


@pytest.fixture
async def cache(valkey_url):
    cache = open_cache(valkey_url)
    yield cache
    await cache.close()


@pytest.fixture
def caller():
    return f"user:{secrets.token_hex(8)}"


@pytest.fixture(params=["valkey", "local"])
def limiter_of(request, cache) -> Callable[..., RateLimiter]:
    def make(limits=TEN_AN_HOUR) -> RateLimiter:
        return ValkeyRateLimiter(cache, limits) if request.param == "valkey" else LocalRateLimiter(limits)

    return make


async def test_the_quota_passes_at_once_and_no_request_more(limiter_of, caller):
    limiter = limiter_of()
    verdicts = [await limiter.spend(LimitName.DEFAULT, caller) for _ in range(15)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 10 + [False] * 5
    assert [verdict.remaining for verdict in verdicts] == [*range(9, -1, -1)] + [0] * 5


async def test_the_verdict_says_when_the_next_passes_and_when_all_is_back(limiter_of, caller):
    limiter = limiter_of()
    first = await limiter.spend(LimitName.DEFAULT, caller)
    assert (first.retry_after_seconds, first.reset_seconds) == (0, 360)
    for _ in range(9):
        last = await limiter.spend(LimitName.DEFAULT, caller)
    assert last.retry_after_seconds == 0
    assert 3590 <= last.reset_seconds <= 3600
    refused = await limiter.spend(LimitName.DEFAULT, caller)
    assert 350 <= refused.retry_after_seconds <= 360
    assert (refused.limit, refused.quota, refused.window_seconds) == (LimitName.DEFAULT, 10, 3600)


async def test_a_refused_request_costs_nothing(limiter_of, caller):
    limiter = limiter_of()
    verdicts = [await limiter.spend(LimitName.DEFAULT, caller) for _ in range(60)]
    assert verdicts[-1].retry_after_seconds <= 360


async def test_callers_and_limits_do_not_touch_each_other(limiter_of, caller):
    limiter = limiter_of({LimitName.DEFAULT: RateLimit(1, 3600), LimitName.AUTH_LOGIN: RateLimit(1, 3600)})
    assert (await limiter.spend(LimitName.DEFAULT, caller)).allowed
    assert (await limiter.spend(LimitName.AUTH_LOGIN, caller)).allowed
    assert (await limiter.spend(LimitName.DEFAULT, f"{caller}:other")).allowed
    assert not (await limiter.spend(LimitName.DEFAULT, caller)).allowed


async def test_a_limit_that_is_off_counts_nothing(limiter_of, caller):
    limiter = limiter_of({LimitName.DEFAULT: None, LimitName.AUTH_LOGIN: RateLimit(1, 3600)})
    assert await limiter.spend(LimitName.DEFAULT, caller) is None
    assert await limiter.spend(LimitName.AUTH_LOGIN, caller) is not None


async def test_a_limit_without_a_rule_has_the_default_one(limiter_of, caller):
    assert (await limiter_of().spend(LimitName.AUTH_REGISTER, caller)).quota == 10


async def test_requests_pass_again_with_time(limiter_of, caller):
    limiter = limiter_of({LimitName.DEFAULT: RateLimit(100, 1)})
    while (await limiter.spend(LimitName.DEFAULT, caller)).allowed:
        pass
    async with asyncio.timeout(30):
        while not (await limiter.spend(LimitName.DEFAULT, caller)).allowed:  # noqa: ASYNC110  time passes by itself
            await asyncio.sleep(0)


async def test_all_instances_share_one_quota(valkey_url, caller):
    instances = [open_cache(valkey_url) for _ in range(4)]
    limiters = [ValkeyRateLimiter(instance, TEN_AN_HOUR) for instance in instances]
    verdicts = await asyncio.gather(
        *(limiter.spend(LimitName.DEFAULT, caller) for limiter in limiters for _ in range(50))
    )
    assert sum(verdict.allowed for verdict in verdicts) == 10
    for instance in instances:
        await instance.close()


async def test_nothing_is_kept_of_a_caller_who_has_all_back(cache, caller):
    await ValkeyRateLimiter(cache, {LimitName.DEFAULT: RateLimit(1000, 1)}).spend(LimitName.DEFAULT, caller)
    assert -2 <= await cache.execute("PTTL", f"midrise:rate:default:{caller}") <= 1


@pytest.mark.parametrize("stored", ["nonsense", "99999999999999999", "-5", ""])
async def test_a_damaged_key_shuts_nobody_out_for_longer_than_the_window(cache, caller, stored):
    await cache.execute("SET", f"midrise:rate:default:{caller}", stored)
    limiter = ValkeyRateLimiter(cache, TEN_AN_HOUR)
    verdict = await limiter.spend(LimitName.DEFAULT, caller)
    assert verdict.retry_after_seconds <= 360
    assert verdict.reset_seconds <= 3600


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 700_000), st.integers(1, 8)), max_size=60))
async def test_no_span_of_time_passes_more_than_the_quota_and_what_has_come_back(steps):
    clock = Clock()
    limiter = LocalRateLimiter({LimitName.DEFAULT: RateLimit(5, 1)}, monotonic_ns=clock)
    passed: list[int] = []
    for pause_us, requests in steps:
        clock.now_us += pause_us
        for _ in range(requests):
            verdict = await limiter.spend(LimitName.DEFAULT, "user:1")
            passed += [clock.now_us] * verdict.allowed
    for index, begin in enumerate(passed):
        for count, end in enumerate(passed[index:], start=1):
            assert count <= 5 + (end - begin) // 200_000


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 60), st.lists(st.integers(0, 3_000_000), max_size=40))
async def test_who_waits_as_long_as_told_passes(quota, window_seconds, pauses):
    clock = Clock()
    limiter = LocalRateLimiter({LimitName.DEFAULT: RateLimit(quota, window_seconds)}, monotonic_ns=clock)
    for pause_us in pauses:
        clock.now_us += pause_us
        verdict = await limiter.spend(LimitName.DEFAULT, "user:1")
        assert 0 <= verdict.remaining < quota
        if not verdict.allowed:
            clock.now_us += verdict.retry_after_seconds * 1_000_000
            assert (await limiter.spend(LimitName.DEFAULT, "user:1")).allowed


async def test_local_memory_is_bounded_and_gives_back_what_is_over():
    clock = Clock()
    limiter = LocalRateLimiter(TEN_AN_HOUR, most_callers=100, monotonic_ns=clock)
    for number in range(1000):
        await limiter.spend(LimitName.DEFAULT, f"user:{number}")
    assert len(limiter._arrivals) == 100
    clock.now_us += 3600 * 1_000_000
    for _ in range(200):
        await limiter.spend(LimitName.DEFAULT, "user:last")
    assert len(limiter._arrivals) == 1


async def test_without_the_cache_the_process_counts_by_its_stricter_rule(start_valkey, caller):
    server = start_valkey()
    cache = open_cache(server.url)
    stricter = LocalRateLimiter({LimitName.DEFAULT: RateLimit(10, 3600).share(2)})
    limiter = FallbackRateLimiter(ValkeyRateLimiter(cache, TEN_AN_HOUR), stricter)
    assert (await limiter.spend(LimitName.DEFAULT, caller)).quota == 10
    server.kill()
    verdicts = [await limiter.spend(LimitName.DEFAULT, caller) for _ in range(8)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 5 + [False] * 3
    server.start()
    async with asyncio.timeout(30):
        while (await limiter.spend(LimitName.DEFAULT, caller)).quota != 10:  # noqa: ASYNC110  nobody tells us
            await asyncio.sleep(0)
    await cache.close()


@pytest.mark.parametrize(
    "answer",
    [b"+OK\r\n", b":1\r\n", b"*0\r\n", b"*1\r\n:1\r\n", b"*2\r\n:7\r\n:0\r\n", b"*2\r\n:1\r\n:-1\r\n",
     b"*2\r\n:1\r\n:99999999999999\r\n", b"*2\r\n:1\r\n$1\r\na\r\n", b"$-1\r\n", b"*-1\r\n"],
)  # fmt: skip
async def test_an_answer_that_makes_no_sense_is_no_verdict(fake_server, answer):
    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"+OK\r\n")  # to the client's name
        while await reader.read(65_536):
            writer.write(answer)

    async with fake_server(lie) as url:
        cache = open_cache(url)
        with pytest.raises(CacheUnavailable):
            await ValkeyRateLimiter(cache, TEN_AN_HOUR).spend(LimitName.DEFAULT, "user:1")
        assert cache.is_away
        await cache.close()
