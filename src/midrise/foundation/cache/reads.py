"""Reads that are remembered: in this process, behind it in the shared cache, and read once however many ask.

Three rules make that right. What is remembered is found only under the present values of its generations. It is
remembered only where `ValkeyGenerations.fill` says so. And who asks while somebody reads joins only where that
reading was begun under the values that he saw, and was begun after he came or may be remembered.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property, lru_cache
from importlib.metadata import version
from typing import Generic, Protocol, TypeVar

import msgspec

from midrise.foundation.cache.client import CacheUnavailable, ValkeyCache
from midrise.foundation.cache.flights import Flights, Landing, Outcome
from midrise.foundation.cache.generations import ANSWER_SECONDS, Seen, ValkeyGenerations, read_record

Value = TypeVar("Value")

# While servers are replaced one by one, the new ones may say more of a thing than the old ones: each remembers
# for its own kind.
_VERSION = version("midrise")
_OVERHEAD_BYTES = 300
"""What an entry costs in memory besides what it holds, roughly."""
_MOST_KNOWN = 4096


class Prefixes(Protocol):
    """Knows whether the cache may be used: `CacheSwitch`."""

    @property
    def prefix(self) -> str | None: ...


class Reading(msgspec.Struct, Generic[Value], frozen=True):
    """What was read, and what its snapshot saw.

    ``value`` is None for what is not to be shared. ``is_failure`` says that there was no answer, but an error
    which others would get as well: those who wait need not all try it.
    """

    value: Value | None
    xmin: int | None = None
    next_xid: int | None = None
    is_failure: bool = False


class Glance(msgspec.Struct, frozen=True, dict=True):
    """What a request saw of the cache when it was let in: the prefix, and the generations of its answer."""

    prefix: str
    seen: tuple[Seen, ...]

    @cached_property
    def horizon(self) -> int | None:
        """What a reader must have seen the end of, if its answer is to be kept; None where it is not known."""
        if len(self.seen) == 1:
            return self.seen[0].horizon
        horizons = [each.horizon for each in self.seen if each.horizon is not None]
        return max(horizons) if len(horizons) == len(self.seen) else None

    @cached_property
    def values(self) -> tuple[bytes, ...]:
        return tuple([each.value for each in self.seen])


class CachedReads(Generic[Value]):
    """Reads of one kind. ``kind`` is what is remembered, a type that msgspec knows."""

    def __init__(
        self, kind: type[Value], *, cache: ValkeyCache, switch: Prefixes, name: str, most_bytes: int
    ) -> None:
        self._cache = cache
        self._switch = switch
        self._generations = ValkeyGenerations(cache)
        self._kept_for = f"{name}.{_VERSION}:"
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._near = _Near[Value](most_bytes)
        self._flights = Flights[Value]()
        self._rounds = Flights[Value]()

    def find_near(self, call: str, glance: Glance) -> Value | None:
        """What this process remembers of the call under these generations."""
        if self._switch.prefix != glance.prefix:
            return None
        return self._near.find((call, *glance.values))

    async def find_far(self, call: str, glance: Glance) -> Value | None:
        """What the shared cache remembers."""
        if glance.horizon is None:
            return None
        try:
            kept = await self._cache.execute("GET", self._far_key(call, glance))
        except CacheUnavailable:
            return None
        if not isinstance(kept, bytes) or self._switch.prefix != glance.prefix:
            return None
        try:
            value = self._decode(kept)
        except msgspec.MsgspecError:
            return None
        self._near.keep((call, *glance.values), value, len(kept))
        return value

    async def read(
        self, call: str, glance: Glance, read: Callable[[], Awaitable[Reading[Value]]]
    ) -> Value | None:
        """Read it, or have part in the reading of somebody who saw the same values. None where what was read is
        not to be shared: who read it knows the answer, and whoever gets None without having been asked to read
        has to read alone. Raises what reading raises, and `Unavailable` where it failed for others.
        """

        async def land() -> Landing[Value]:
            reading = await read()
            if reading.is_failure or reading.value is None:
                return _unshared(reading)
            if await self._keep(call, glance, reading):
                return Landing(Outcome.RIGHT, reading.value)
            # Right also where it may not be kept, if every statement told what its snapshot had seen, which was
            # all that it had to: a long transaction keeps every reading from being kept, and must not send a
            # crowd to the database one by one.
            return Landing(Outcome.RIGHT_LATER if reading.xmin else Outcome.UNSHARED, reading.value)

        return await self._flights.share((call, *glance.values), land)

    async def read_in_rounds(self, call: str, read: Callable[[], Awaitable[Reading[Value]]]) -> Value | None:
        """Read it while nothing may be remembered, once for all who came before that reading began: who comes
        while one is under way waits for the next, for this one may see what was there before.

        Only for calls that may be answered alike whoever makes them. Else as `read`.
        """

        async def land() -> Landing[Value]:
            reading = await read()
            if reading.is_failure or reading.value is None:
                return _unshared(reading)
            return Landing(Outcome.RIGHT_LATER, reading.value)

        return await self._rounds.share(call, land)

    async def _keep(self, call: str, glance: Glance, reading: Reading[Value]) -> bool:
        if reading.value is None or reading.xmin is None or self._switch.prefix != glance.prefix:
            return False
        encoded = self._encode(reading.value)
        is_kept = await self._generations.fill(
            glance.seen,
            xmin=reading.xmin,
            next_xid=reading.next_xid,
            key=self._far_key(call, glance),
            answer=encoded,
        )
        if not is_kept or self._switch.prefix != glance.prefix:
            return False
        self._near.keep((call, *glance.values), reading.value, len(encoded))
        return True

    def _far_key(self, call: str, glance: Glance) -> str:
        values = b"".join(glance.values).decode("ascii", "replace")
        return f"{glance.prefix}{self._kept_for}{values}:{call}"


def _unshared(reading: Reading[Value]) -> Landing[Value]:
    return Landing(Outcome.FAILED if reading.is_failure else Outcome.UNSHARED)


Key = tuple[str | bytes, ...]


class _Near(Generic[Value]):
    """What this process remembers: the least recently asked for goes first, and nothing is good for longer than
    in the shared cache, however often it is asked for.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._entries: OrderedDict[Key, tuple[Value, int, float]] = OrderedDict()

    def find(self, key: Key) -> Value | None:
        entry = self._entries.get(key)
        if entry is None or entry[2] < time.monotonic():
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def keep(self, key: Key, value: Value, size_bytes: int) -> None:
        former = self._entries.pop(key, None)
        if former is not None:
            self._bytes -= former[1]
        cost = size_bytes + _OVERHEAD_BYTES
        self._entries[key] = (value, cost, time.monotonic() + ANSWER_SECONDS)
        self._bytes += cost
        while self._bytes > self._most_bytes:
            _, (_, freed, _) = self._entries.popitem(last=False)
            self._bytes -= freed


@lru_cache(maxsize=_MOST_KNOWN)
def glance_at(prefix: str, keys: tuple[str, ...], held: tuple[bytes | None, ...]) -> Glance:
    """What was seen in the records; mostly they hold what they held before.

    Raises `ValueError` for what is no record, and `TypeError` for what is nothing of the kind.
    """
    return Glance(prefix, tuple([read_record(key, record) for key, record in zip(keys, held, strict=True)]))


def glance_of(prefix: str | None, seen: Sequence[Seen]) -> Glance | None:
    """What was seen, where the cache may be used."""
    return Glance(prefix, tuple(seen)) if prefix is not None and seen else None
