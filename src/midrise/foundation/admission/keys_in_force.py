"""Which signing keys verify, from the cache: what makes a key that was revoked dead at once everywhere.

A signature is verified in the process, by the keys that the process has loaded. Whether the key behind it is
still in force is looked at with every request, under the generation of the keys that came back with it.
"""

import contextlib
import time
from typing import Protocol

import msgspec

from midrise.foundation.admission.remembering import remembered
from midrise.foundation.cache import ValkeyCache
from midrise.foundation.cache.reads import CachedReads, Glance, Prefixes
from midrise.foundation.errors import Unavailable
from midrise.foundation.security.signing_keys import KeyRing, RingKeys

_MOST_BYTES = 64 * 1024
_CALL = "usable"
_UNKNOWN_PAUSE_SECONDS = 10


class UsableKeys(msgspec.Struct, frozen=True):
    """The ids of the keys that verify."""

    kids: tuple[str, ...]


class KeySource(Protocol):
    """Knows the stored keys; injected, as sessions are."""

    @property
    def ring(self) -> KeyRing:
        """What verifies in this process."""
        ...

    @property
    def generation(self) -> str:
        """The name of the generation of which keys verify."""
        ...

    async def list_usable(self) -> UsableKeys:
        """Which keys verify, as the primary knows it now. Raises `Unavailable`."""
        ...

    async def load(self) -> None:
        """Put the stored keys into the ring. Raises `Unavailable`."""
        ...


class KeysInForce:
    """Says whether keys are in force, and loads the ring anew when it is out of step."""

    def __init__(self, source: KeySource, *, cache: ValkeyCache, switch: Prefixes) -> None:
        self.generation = source.generation
        self._source = source
        self._reads = CachedReads(UsableKeys, cache=cache, switch=switch, name="keys", most_bytes=_MOST_BYTES)
        self._in_step: tuple[UsableKeys, RingKeys] | None = None
        self._looked_at = 0.0
        self._looked_under: bytes | None = b""

    @property
    def ring(self) -> RingKeys:
        """What verifies in this process."""
        return self._source.ring.keys

    def are_in_force_near(self, kid: str, glance: Glance) -> bool:
        """Whether this process remembers under that generation that the key verifies, and the ring is in step
        with that."""
        usable = self._reads.find_near(_CALL, glance)
        if usable is None or self._in_step is None or self._in_step[0] is not usable:
            return False
        return self._in_step[1] is self.ring and kid in usable.kids

    async def are_in_force(self, kid: str, glance: Glance) -> bool:
        """Whether that key, which the ring holds, verifies. Raises `Unavailable` where that can't be known."""
        usable = self._reads.find_near(_CALL, glance)
        if usable is None:
            usable = await self._look(glance)
        await self._keep_step(usable)
        return kid in usable.kids

    async def learns(self, kid: str, glance: Glance | None) -> bool:
        """Whether a key that the ring doesn't hold is one, which it holds from now on.

        Forged tokens name keys that never were, so the database is asked when the keys have changed, and else
        once in ten seconds, however many come.
        """
        usable = self._reads.find_near(_CALL, glance) if glance is not None else None
        if usable is None:
            value = glance.values[0] if glance is not None else None
            if value == self._looked_under and time.monotonic() - self._looked_at < _UNKNOWN_PAUSE_SECONDS:
                return False
            usable = await self._look(glance)
        if kid in usable.kids:
            await self._keep_step(usable)
        return kid in usable.kids

    async def _look(self, glance: Glance | None) -> UsableKeys:
        self._looked_at = time.monotonic()
        self._looked_under = glance.values[0] if glance is not None else None
        if glance is None:
            return await self._source.list_usable()
        return await remembered(self._reads, _CALL, glance, self._source.list_usable)

    async def _keep_step(self, usable: UsableKeys) -> None:
        ring = self._source.ring
        if self._in_step is not None and self._in_step[0] is usable and self._in_step[1] is ring.keys:
            return
        if {key.kid for key in ring.keys.keys} != set(usable.kids):
            # Where the database is away, the list decides all the same; the next request loads the ring.
            with contextlib.suppress(Unavailable):
                await self._source.load()
            return
        self._in_step = usable, ring.keys
