"""Generations: the records that say which cached answers are of today.

Each noun that is shown has one, and so has each list. A record holds a *value*, which is part of the key of
every answer that depends on it, and a *horizon*: the answer may be kept only by a reader whose snapshot saw the
end of every transaction below it. A change replaces the value before it commits, and raises the horizon above
itself. A record that was lost is drawn anew, with a horizon that is not known; the first who fills finds one
out. docs/cache.md tells why no answer outlives a commit by that.
"""

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from midrise.foundation.cache.client import CacheUnavailable, Script, ValkeyCache
from midrise.foundation.database.cache_switch.marking import CacheNotMarked

RECORD_SECONDS = 24 * 3600
"""How long a record is kept that nobody changes; a lost one is only drawn anew."""
ANSWER_SECONDS = 25 * 60
"""How long an answer is kept, here and once more in a process that got it from here. So rows which somebody
changed by hand are seen within the hour, also by whoever sends a token, which is known for ten minutes."""
VALUE_CHARACTERS = 16
_VALUES_AT_ONCE = 256
_MOST_KNOWN = 4096

_SEPARATOR = b":"
_MARK = Script(Path(__file__).with_name("mark.lua").read_text(encoding="utf-8"))
_SETTLE = Script(Path(__file__).with_name("settle.lua").read_text(encoding="utf-8"))
_FILL = Script(Path(__file__).with_name("fill.lua").read_text(encoding="utf-8"))


class Seen(msgspec.Struct, frozen=True):
    """A generation as a request saw it.

    Nothing can have been kept under it while its horizon is not known.
    """

    key: str
    value: bytes
    horizon: int | None


def record_key(prefix: str, name: str) -> str:
    """Where the record of a generation is kept."""
    return f"{prefix}g:{name}"


def fresh_value() -> str:
    """A value that no record ever had."""
    return next(_fresh_values)


@lru_cache(maxsize=_MOST_KNOWN)
def read_record(key: str, record: bytes | None) -> Seen:
    """The record as scripts give it; mostly it is what it was before. Raises `ValueError` for what is none."""
    value, separator, horizon = record.partition(_SEPARATOR) if isinstance(record, bytes) else (b"", b"", b"")
    if not separator or len(value) != VALUE_CHARACTERS:
        raise ValueError("a generation is a value and a horizon")
    return Seen(key, value, int(horizon) if horizon else None)


def _draw_values() -> Iterator[str]:
    # Each request needs one, in case that a record is not there; asking the system for each costs more.
    while True:
        drawn = os.urandom(_VALUES_AT_ONCE * VALUE_CHARACTERS // 2).hex()
        for start in range(0, len(drawn), VALUE_CHARACTERS):
            yield drawn[start : start + VALUE_CHARACTERS]


_fresh_values = _draw_values()


class ValkeyGenerations:
    """The records in Valkey."""

    def __init__(self, cache: ValkeyCache) -> None:
        self._cache = cache

    async def mark(self, prefix: str, names: Collection[str], *, next_xid: int) -> None:
        """Replace the values, and raise the horizons. Raises `CacheNotMarked`."""
        keys = [record_key(prefix, name) for name in names]
        try:
            answer = await self._cache.run(
                _MARK, keys=keys, arguments=[next_xid, fresh_value(), RECORD_SECONDS]
            )
        except CacheUnavailable as unavailable:
            raise CacheNotMarked from unavailable
        if answer != len(keys):
            raise CacheNotMarked from self._cache.distrust(answer)

    async def settle(self, seen: Seen, *, next_xid: int) -> None:
        """Find a horizon for a record that has none; it does no harm where that fails."""
        with contextlib.suppress(CacheUnavailable):
            await self._cache.run(_SETTLE, keys=[seen.key], arguments=[seen.value, next_xid, RECORD_SECONDS])

    async def fill(
        self, seen: Sequence[Seen], *, xmin: int, next_xid: int | None, key: str, answer: bytes
    ) -> bool:
        """Keep an answer that was read while these generations stood; whether it may be shown to others.

        ``xmin`` is the lowest of the snapshots that it was read from, ``next_xid`` above every transaction that
        had begun on the primary by then (None where a replica was read).
        """
        arguments: list[Any] = [xmin, next_xid or "", answer, ANSWER_SECONDS, RECORD_SECONDS]
        try:
            kept = await self._cache.run(
                _FILL,
                keys=[*(each.key for each in seen), key],
                arguments=[*arguments, *(each.value for each in seen)],
            )
        except CacheUnavailable:
            return False
        return bool(kept == 1)
