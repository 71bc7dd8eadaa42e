"""Admission: who is let in, who pays, and what a forged token gets."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from midrise.foundation.admission import (
    Admission,
    Caller,
    FallbackRateLimiter,
    LimitName,
    LocalRateLimiter,
    OverLimit,
    RateLimit,
    RateLimiter,
    ValkeyRateLimiter,
)
from midrise.foundation.cache import CacheEndpoint, CacheSettings, ValkeyCache
from midrise.foundation.errors import RateLimited, Unauthenticated, Unavailable
from midrise.foundation.ids import new_id
from midrise.foundation.security.signing_keys import KeyRing, KeyState, generate_signing_key
from midrise.foundation.security.tokens import AccessTokens, TokenSettings

pytestmark = pytest.mark.anyio

ADDRESS, ELSEWHERE = "203.0.113.7", "198.51.100.1"
THREE_AN_HOUR = {LimitName.DEFAULT: RateLimit(3, 3600), LimitName.AUTH_LOGIN: RateLimit(2, 3600)}


@dataclass
class KnownSessions:
    """A session source that knows what the test tells it, and counts the questions."""

    callers: dict[UUID, Caller] = field(default_factory=dict)
    is_away: bool = False
    asked: int = 0

    async def find_caller(self, session_id: UUID, user_id: UUID, *, kid: str) -> Caller | None:
        del kid
        self.asked += 1
        if self.is_away:
            raise Unavailable
        caller = self.callers.get(session_id)
        return caller if caller is not None and caller.user_id == user_id else None


class House:
    """Admission and what it stands on."""

    def __init__(self, limiter: RateLimiter | None = None, quick: ValkeyRateLimiter | None = None) -> None:
        self.sessions = KnownSessions()
        self.tokens = AccessTokens(TokenSettings(), KeyRing([generate_signing_key(KeyState.CURRENT)]))
        self.admission = Admission(
            tokens=self.tokens,
            sessions=self.sessions,
            limiter=limiter or LocalRateLimiter(THREE_AN_HOUR),
            quick=quick,
        )
        self.user_id, self.session_id = new_id(), new_id()
        self.token = self.log_in()

    def log_in(self) -> str:
        caller = Caller(self.user_id, self.session_id, ("manager",), frozenset({"products:write"}))
        self.sessions.callers[self.session_id] = caller
        return self.tokens.issue(self.user_id, self.session_id)

    async def admit(self, token: str | None, address: str = ADDRESS, limit: LimitName = LimitName.DEFAULT):
        return await self.admission.admit(token=token, address=address, limit=limit)


def forged() -> str:
    stranger = AccessTokens(TokenSettings(), KeyRing([generate_signing_key(KeyState.CURRENT)]))
    return stranger.issue(new_id(), new_id())


async def exhaust(admit: Callable, *arguments) -> OverLimit:
    for _ in range(3):
        await admit(*arguments)
    with pytest.raises(OverLimit) as over:
        await admit(*arguments)
    return over.value


async def test_a_good_token_brings_its_caller():
    house = House()
    admitted = await house.admit(house.token)
    assert admitted.caller == house.sessions.callers[house.session_id]
    assert admitted.rejection is None
    assert (admitted.rate.limit, admitted.rate.remaining) == (LimitName.DEFAULT, 2)


async def test_no_token_is_a_visitor_and_no_question():
    house = House()
    admitted = await house.admit(None)
    assert (admitted.caller, admitted.rejection, house.sessions.asked) == (None, None, 0)
    assert admitted.rate.remaining == 2


@pytest.mark.parametrize("token", ["", "nonsense", "mr_unknown", forged(), "a" * 65_536])
async def test_a_forged_token_is_rejected_without_a_question(token):
    house = House()
    admitted = await house.admit(token)
    assert admitted.caller is None
    assert isinstance(admitted.rejection, Unauthenticated)
    assert house.sessions.asked == 0


async def test_forged_tokens_spend_the_quota_of_their_sender_not_of_their_victim():
    house = House()
    header, _, rest = house.token.partition(".")
    over = await exhaust(house.admit, f"{header}.{rest[:-4]}AAAA", ELSEWHERE)
    assert over.caller_key == f"ip:{ELSEWHERE}"
    assert (await house.admit(house.token)).rate.remaining == 2


async def test_a_session_that_ended_is_rejected_and_counted():
    house = House()
    house.sessions.callers.clear()
    admitted = await house.admit(house.token)
    assert isinstance(admitted.rejection, Unauthenticated)
    assert (admitted.caller, admitted.rate.remaining) == (None, 2)


async def test_a_session_of_somebody_else_is_rejected():
    house = House()
    admitted = await house.admit(house.tokens.issue(new_id(), house.session_id))
    assert isinstance(admitted.rejection, Unauthenticated)


async def test_a_user_has_one_quota_wherever_they_are():
    house = House()
    for address in (ADDRESS, ELSEWHERE, "2001:db8::1"):
        await house.admit(house.token, address)
    with pytest.raises(OverLimit) as over:
        await house.admit(house.token, "2001:db8::2")
    assert over.value.caller_key == f"user:{house.user_id}"


async def test_users_behind_one_address_do_not_touch_each_other():
    house, other = House(), House()
    other.admission = house.admission
    await exhaust(house.admit, house.token)
    assert isinstance((await house.admit(forged())).rejection, Unauthenticated)
    assert (await house.admit(None)).rate.remaining == 1


async def test_over_the_limit_the_error_says_all_that_headers_need_and_nothing_is_asked():
    house = House()
    over = await exhaust(house.admit, house.token)
    assert isinstance(over, RateLimited)
    assert over.retry_after_seconds == over.verdict.retry_after_seconds > 0
    assert (over.verdict.quota, over.verdict.window_seconds, over.verdict.remaining) == (3, 3600, 0)
    assert house.sessions.asked == 3


async def test_log_ins_count_by_address_also_with_a_token():
    house = House()
    for token in (house.token, None):
        await house.admit(token, ADDRESS, LimitName.AUTH_LOGIN)
    with pytest.raises(OverLimit) as over:
        await house.admit(house.token, ADDRESS, LimitName.AUTH_LOGIN)
    assert over.value.caller_key == f"ip:{ADDRESS}"
    assert (await house.admit(house.token)).rate.remaining == 2


async def test_a_limit_that_is_off_gives_no_verdict():
    house = House(LocalRateLimiter({LimitName.DEFAULT: None}))
    admitted = await house.admit(house.token)
    assert admitted.caller is not None
    assert admitted.rate is None


async def test_without_the_database_nobody_known_is_let_in():
    house = House()
    house.sessions.is_away = True
    with pytest.raises(Unavailable):
        await house.admit(house.token)


@pytest.mark.parametrize("fault", ["fine", "killed", "frozen"])
async def test_the_decision_about_a_session_is_the_same_whatever_the_cache_does(start_valkey, fault):
    server = start_valkey()
    settings = CacheSettings(CacheEndpoint.parse(server.url), process="test.1", connect_budget_seconds=1)
    cache = ValkeyCache(settings)
    limits = {LimitName.DEFAULT: RateLimit(1000, 60)}
    house = House(FallbackRateLimiter(ValkeyRateLimiter(cache, limits), LocalRateLimiter(limits)))
    await house.admit(house.token)
    {"fine": lambda: None, "killed": server.kill, "frozen": server.freeze}[fault]()
    assert (await house.admit(house.token)).caller is not None
    assert isinstance((await house.admit(forged())).rejection, Unauthenticated)
    house.sessions.callers.clear()
    assert isinstance((await house.admit(house.token)).rejection, Unauthenticated)
    house.sessions.is_away = True
    with pytest.raises(Unavailable):
        await house.admit(house.token)
    await cache.close()


async def test_an_answer_that_nobody_thought_of_leaves_the_cache_to_others(fake_server):
    async def answer_oddly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while asked := await reader.read(10_000):
            for name in re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)", asked):
                writer.write({b"EVALSHA": b"*2\r\n*0\r\n:1\r\n", b"PING": b"+PONG\r\n"}.get(name, b"+OK\r\n"))

    async with fake_server(answer_oddly) as url:
        cache = ValkeyCache(CacheSettings(CacheEndpoint.parse(url), process="test.1"))
        await cache.ping()
        house = House(quick=ValkeyRateLimiter(cache, THREE_AN_HOUR))
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        assert house.admission.admit_soon(told.set_result, token=None, address=ADDRESS)
        async with asyncio.timeout(30):
            settle = await told
        assert (await settle()).rate.remaining == 2
        await cache.ping()
        await cache.close()
