"""Makes what is cached old before a change can be seen."""

from collections.abc import Collection
from typing import Protocol

from midrise.foundation.database.cache_switch.switch import CacheSwitch


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
        prefix = await self._switch.known_prefix() if self._generations else None
        if prefix is not None and self._generations is not None:
            try:
                await self._generations.mark(prefix, names, next_xid=xid + 1)
            except CacheNotMarked:
                pass
            else:
                if self._switch.prefix == prefix:
                    return
        await self._switch.turn_off()
