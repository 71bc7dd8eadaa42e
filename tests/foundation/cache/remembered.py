"""What tests of remembered answers stand on: a cache, a prefix that the test holds, and records in it."""

import asyncio
import secrets
from dataclasses import dataclass, field

import msgspec

from midrise.foundation.admission import LimitName, ValkeyRateLimiter
from midrise.foundation.cache import CacheEndpoint, CacheSettings, ValkeyCache
from midrise.foundation.cache.generations import Seen, ValkeyGenerations, read_record, record_key
from midrise.foundation.cache.reads import CachedReads, Glance, Reading


@dataclass
class HeldPrefix:
    """Says that the cache may be used under a prefix, until the test says otherwise."""

    prefix: str | None = field(default_factory=lambda: f"{secrets.token_hex(8)}:")


def open_cache(url: str, **changes: float) -> ValkeyCache:
    patient = {"call_budget_seconds": 10, "connect_budget_seconds": 10, "rest_seconds": 0} | changes
    return ValkeyCache(CacheSettings(CacheEndpoint.parse(url), process="test.1", **patient))


class Records:
    """Generations under one prefix, as requests and changes see them."""

    def __init__(self, cache: ValkeyCache, switch: HeldPrefix) -> None:
        self.cache = cache
        self.switch = switch
        self.generations = ValkeyGenerations(cache)
        self._limiter = ValkeyRateLimiter(cache, {LimitName.DEFAULT: None})

    async def see(self, *names: str) -> list[Seen]:
        """As admission does it: a record that is not there is drawn."""
        keys = [record_key(str(self.switch.prefix), name) for name in names]
        _, held = await self._limiter.spend_and_read(LimitName.DEFAULT, "nobody", records=keys)
        return [read_record(key, record) for key, record in zip(keys, held, strict=True)]

    async def glance(self, *names: str) -> Glance:
        return Glance(str(self.switch.prefix), tuple(await self.see(*names)))

    async def settled(self, name: str, *, next_xid: int) -> Seen:
        """A record with a horizon."""
        (seen,) = await self.see(name)
        await self.generations.settle(seen, next_xid=next_xid)
        return (await self.see(name))[0]

    async def mark(self, *names: str, next_xid: int) -> None:
        await self.generations.mark(str(self.switch.prefix), names, next_xid=next_xid)


class Shown(msgspec.Struct, frozen=True):
    text: str


class Source:
    """A table with one row; reading it takes as long as the test holds it."""

    def __init__(self) -> None:
        self.text = "first"
        self.xmin, self.next_xid = 10, 10
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_asked = asyncio.Event()

    async def read(self) -> Reading[Shown]:
        self.asked += 1
        self.is_asked.set()
        # What it sees is what was there when it was asked.
        reading = Reading(Shown(self.text), self.xmin, self.next_xid)
        await self.may_answer.wait()
        return reading


class PassingTime:
    """The clock by which what is remembered grows old, in place of the module `time`."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


def process(records: Records, *, most_bytes: int = 10_000_000) -> CachedReads[Shown]:
    """The memory of one process."""
    return CachedReads(Shown, cache=records.cache, switch=records.switch, name="test", most_bytes=most_bytes)
