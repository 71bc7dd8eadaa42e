"""Makes what is cached old before a change can be seen."""

from collections.abc import Collection
from typing import Protocol

from midrise.foundation.database.cache_switch.switch import CacheSwitch

_MOST_TRIES = 3


class CacheNotMarked(Exception):
    """The generations could not be marked."""


class Generations(Protocol):
    """The records in the cache that say which answers are of today."""

    async def mark(self, prefix: str, names: Collection[str], *, next_xid: int) -> None:
        """Replace the generations: only who sees the transactions below ``next_xid`` may fill the new ones.

        Raises `CacheNotMarked`.
        """
        ...


class Marking:
    """What a unit of work owes the cache before it commits."""

    def __init__(self, switch: CacheSwitch, generations: Generations | None) -> None:
        self._switch = switch
        self._generations = generations

    async def close(self) -> None:
        await self._switch.close()

    async def mark(self, names: Collection[str], *, xid: int) -> None:
        """When it returns, the transaction may commit: no answer from before will be shown after.

        Raises `Unavailable` where the cache can neither be marked nor be turned off.
        """
        for _ in range(_MOST_TRIES):
            prefix = await self._switch.known_prefix()
            if prefix is not None and self._generations is not None:
                if await self._is_marked(self._generations, prefix, names, xid=xid):
                    return
                break
            # What was known may be a poll old: who finds it on by now marks, for else a steady stream of
            # changes would turn it off again and again.
            if await self._switch.turn_off(unless_usable=self._generations is not None):
                return
        await self._switch.turn_off()

    async def _is_marked(
        self, generations: Generations, prefix: str, names: Collection[str], *, xid: int
    ) -> bool:
        try:
            await generations.mark(prefix, names, next_xid=xid + 1)
        except CacheNotMarked:
            return False
        return self._switch.prefix == prefix
