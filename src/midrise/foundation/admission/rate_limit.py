"""Rate limits by the generic cell rate algorithm: one number for each caller, exact, with nothing to sweep.

GCRA is from ITU-T I.371, annex A. A caller has a theoretical arrival time: when the next request would come at
an even pace. Each request moves it on by one interval; a caller who would be further ahead of now than the
tolerance has to wait.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from midrise.foundation.admission.limits import LimitName, RateLimit, RateLimits, RateVerdict
from midrise.foundation.cache import CacheUnavailable, Script, ValkeyCache
from midrise.foundation.cache.calls import Argument, Waiter, pack
from midrise.foundation.cache.generations import RECORD_SECONDS, VALUE_CHARACTERS, fresh_value

_SCRIPT = Script(Path(__file__).with_name("admit.lua").read_text(encoding="utf-8"))

_FRESH = b"?" * VALUE_CHARACTERS
_MOST_PACKED = 4096

Held = Sequence[bytes | None]
"""What the records hold that were asked for beside the limit; nothing where the cache was not asked."""


class RateLimiter(Protocol):
    """Counts one request of a caller against a limit."""

    async def spend(self, limit: LimitName, caller_key: str) -> RateVerdict | None:
        """The verdict on one more request; None where the limit is off."""
        ...

    async def spend_and_read(
        self, limit: LimitName, caller_key: str, *, records: Sequence[str]
    ) -> tuple[RateVerdict | None, Held]:
        """The verdict and, in the same round trip, what the records hold.

        ``records`` are generations, drawn where there are none. A request that does not pass is told nothing.
        """
        ...


class ValkeyRateLimiter:
    """Counts on the cache, so that all instances share the limit. Raises `CacheUnavailable`."""

    def __init__(self, cache: ValkeyCache, limits: RateLimits) -> None:
        self._cache = cache
        self._rules = {limit: _rule(limits, limit) for limit in LimitName}
        self._packed = lru_cache(maxsize=_MOST_PACKED)(self._pack)

    async def spend(self, limit: LimitName, caller_key: str) -> RateVerdict | None:
        verdict, _ = await self.spend_and_read(limit, caller_key, records=())
        return verdict

    async def spend_and_read(
        self, limit: LimitName, caller_key: str, *, records: Sequence[str]
    ) -> tuple[RateVerdict | None, Held]:
        rule = self._rules[limit]
        if rule is None and not records:
            return None, ()
        answer = await self._cache.run(
            _SCRIPT,
            keys=[_key(limit, caller_key), *records],
            arguments=_arguments(rule, fresh_value()),
        )
        return self.read(answer, limit, records=len(records))

    def ask(self, limit: LimitName, caller_key: str, *, records: tuple[str, ...], waiter: Waiter) -> bool:
        """Have somebody told what the cache answers to the same, for `read`; False while it is away."""
        before, behind = self._packed(limit, caller_key, records)
        return self._cache.ask(b"%b%b%b" % (before, fresh_value().encode("ascii"), behind), waiter)

    def read(self, answer: Any, limit: LimitName, *, records: int) -> tuple[RateVerdict | None, Held]:
        """The verdict, and what so many records hold. Raises `CacheUnavailable` for what makes no sense."""
        rule = self._rules[limit]
        if not _makes_sense(answer, rule, records):
            raise self._cache.distrust(answer)
        allowed, ahead_us, *held = answer
        if rule is None:
            return None, held
        return _verdict(limit, rule, allowed=allowed == 1, ahead_us=ahead_us), held

    def note_failure(self, error: Exception) -> None:
        """What somebody was told instead of an answer."""
        self._cache.note_failure(error)

    def _pack(self, limit: LimitName, caller_key: str, records: tuple[str, ...]) -> tuple[bytes, bytes]:
        """The call of the script before and behind the fresh value: all else is the same for who asks again."""
        keys = (_key(limit, caller_key), *records)
        arguments = _arguments(self._rules[limit], _FRESH)
        before, _, behind = pack("EVALSHA", _SCRIPT.sha1, len(keys), *keys, *arguments).rpartition(_FRESH)
        return before, behind


class LocalRateLimiter:
    """Counts in this process alone. It keeps the `most_callers` last seen, so its memory is bounded: whoever
    is pushed out by a crowd starts afresh."""

    def __init__(
        self,
        limits: RateLimits,
        *,
        most_callers: int = 20_000,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._limits = limits
        self._most_callers = most_callers
        self._monotonic_ns = monotonic_ns
        self._arrivals: OrderedDict[tuple[LimitName, str], int] = OrderedDict()

    async def spend(self, limit: LimitName, caller_key: str) -> RateVerdict | None:
        rule = _rule(self._limits, limit)
        if rule is None:
            return None
        now_us = self._monotonic_ns() // 1000
        self._forget(now_us)
        key = (limit, caller_key)
        arrival_us = max(self._arrivals.get(key, now_us), now_us)
        allowed = arrival_us + rule.interval_us - now_us <= rule.tolerance_us
        if allowed:
            arrival_us += rule.interval_us
            self._arrivals[key] = arrival_us
            self._arrivals.move_to_end(key)
        return _verdict(limit, rule, allowed=allowed, ahead_us=arrival_us - now_us)

    async def spend_and_read(
        self, limit: LimitName, caller_key: str, *, records: Sequence[str]
    ) -> tuple[RateVerdict | None, Held]:
        del records
        return await self.spend(limit, caller_key), ()

    def _forget(self, now_us: int) -> None:
        while self._arrivals:
            caller, arrival_us = next(iter(self._arrivals.items()))
            if arrival_us > now_us and len(self._arrivals) < self._most_callers:
                return
            del self._arrivals[caller]


class FallbackRateLimiter:
    """Counts on the cache, and in this process while the cache is away.

    The local limits hold for each process by itself, so the whole allows as many times more as there are
    processes: give it stricter rules (`RateLimit.share`) where guessing is to be stopped.
    """

    def __init__(self, shared: RateLimiter, local: RateLimiter) -> None:
        self._shared = shared
        self._local = local

    async def spend(self, limit: LimitName, caller_key: str) -> RateVerdict | None:
        try:
            return await self._shared.spend(limit, caller_key)
        except CacheUnavailable:
            return await self._local.spend(limit, caller_key)

    async def spend_and_read(
        self, limit: LimitName, caller_key: str, *, records: Sequence[str]
    ) -> tuple[RateVerdict | None, Held]:
        try:
            return await self._shared.spend_and_read(limit, caller_key, records=records)
        except CacheUnavailable:
            return await self._local.spend(limit, caller_key), ()


def _key(limit: LimitName, caller_key: str) -> str:
    return f"midrise:rate:{limit.value}:{caller_key}"


def _arguments(rule: RateLimit | None, fresh: str | bytes) -> Sequence[Argument]:
    interval_us, tolerance_us = (rule.interval_us, rule.tolerance_us) if rule else (0, 0)
    return interval_us, tolerance_us, fresh, RECORD_SECONDS


def _rule(limits: RateLimits, limit: LimitName) -> RateLimit | None:
    return limits[limit] if limit in limits else limits[LimitName.DEFAULT]


def _makes_sense(answer: Any, rule: RateLimit | None, records: int) -> bool:
    if not isinstance(answer, list) or len(answer) < 2:
        return False
    allowed, ahead_us = answer[0], answer[1]
    if len(answer) != (2 + records if allowed == 1 else 2) or not (allowed == 1 or allowed == 0):
        return False
    return isinstance(ahead_us, int) and 0 <= ahead_us <= (rule.tolerance_us if rule is not None else 0)


def _verdict(limit: LimitName, rule: RateLimit, *, allowed: bool, ahead_us: int) -> RateVerdict:
    return RateVerdict(
        limit,
        rule.quota,
        rule.window_seconds,
        allowed,
        remaining=max(0, (rule.tolerance_us - ahead_us) // rule.interval_us) if allowed else 0,
        reset_seconds=_seconds(ahead_us),
        retry_after_seconds=0 if allowed else _seconds(ahead_us + rule.interval_us - rule.tolerance_us),
    )


def _seconds(microseconds: int) -> int:
    return -(-microseconds // 1_000_000)
