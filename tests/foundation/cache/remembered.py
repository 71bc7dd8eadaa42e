"""What tests of remembered answers stand on: a cache, a prefix that the test holds, and records in it."""

import secrets
from dataclasses import dataclass, field

from midrise.foundation.admission import LimitName, ValkeyRateLimiter
from midrise.foundation.cache import CacheEndpoint, CacheSettings, ValkeyCache
from midrise.foundation.cache.generations import Seen, ValkeyGenerations, read_record, record_key
from midrise.foundation.cache.reads import Glance


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
        _, held = await self._limiter.spend_and_read(LimitName.DEFAULT, "nobody", records=keys, reads=())
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
