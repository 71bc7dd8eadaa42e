"""The keys in force in this process, and how they change for all."""

import asyncio
import math
import time
from collections.abc import Sequence
from datetime import timedelta

from midrise.foundation.actor import SYSTEM
from midrise.foundation.admission import UsableKeys
from midrise.foundation.database import Database, ReadUnit, WriteUnit
from midrise.foundation.errors import NotFound
from midrise.foundation.security.secrets import MasterSecret
from midrise.foundation.security.signing_keys import (
    KeyRing,
    KeyState,
    SigningKey,
    generate_signing_key,
    open_private,
    seal_private,
)
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.signing_keys.model import (
    KEPT_AFTER_LAST_TOKEN,
    KEYS_GENERATION,
    PUBLISHED_SECONDS,
    ROTATED_AFTER,
    Rotation,
    SigningKeyAction,
    StoredKey,
    find_state,
)
from midrise.modules.identity.signing_keys.repository import PostgresSigningKeys

_FRESH_SECONDS = 5


class SigningKeys:
    """Keeps the ring, which signs and verifies, in step with the database; makes the very first keys."""

    def __init__(
        self, *, database: Database, keys: PostgresSigningKeys, ring: KeyRing, master: MasterSecret
    ) -> None:
        self._database = database
        self._keys = keys
        self._master = master
        self._loading = asyncio.Lock()
        self._loaded_at = -math.inf
        self.ring = ring

    @property
    def generation(self) -> str:
        """What is marked when other keys verify."""
        return KEYS_GENERATION

    async def load(self) -> None:
        """Put the stored keys in force. Raises `SealBroken` where another master secret has sealed them."""
        async with self._loading:
            async with self._database.read() as unit:
                stored = await self._keys.list_usable(unit)
            if find_state(list(stored), KeyState.CURRENT) is None:
                await self._make_first()
                async with self._database.read() as unit:
                    stored = await self._keys.list_usable(unit)
            self._put_in_force(stored)

    async def follow(self, unit: ReadUnit) -> None:
        """Sign with the key that signs now; to be called in the unit of what gives out tokens.

        Nobody is given a token of a key that was revoked a moment ago.
        """
        if await self._keys.find_current_kid(unit) != self.ring.keys.current_kid:
            self._put_in_force(await self._keys.list_usable(unit))

    async def sign_with(self, kid: str) -> None:
        """The same, where it is known already which key signs now."""
        if kid != self.ring.keys.current_kid:
            await self.load()

    async def refresh(self) -> None:
        """Load the keys again if that was not done in the last seconds: for what anybody can ask for."""
        if time.monotonic() - self._loaded_at > _FRESH_SECONDS and not self._loading.locked():
            await self.load()

    async def list_usable(self) -> UsableKeys:
        """Which keys verify, as the primary knows it."""
        async with self._database.read() as unit:
            return UsableKeys(tuple(key.kid for key in await self._keys.list_usable(unit)))

    def _put_in_force(self, stored: Sequence[StoredKey]) -> None:
        self.ring.swap([_opened(key, self._master) for key in stored])
        self._loaded_at = time.monotonic()

    async def _make_first(self) -> None:
        async with self._database.write() as tx:
            for state in (KeyState.CURRENT, KeyState.NEXT):
                await add_key(tx, self._keys, state, master=self._master)
            tx.mark(KEYS_GENERATION)


class KeyChanges:
    """Has other keys sign, and keys verify no longer. Every instance learns of it with its next request."""

    def __init__(
        self,
        *,
        database: Database,
        keys: PostgresSigningKeys,
        master: MasterSecret,
        token_seconds: int,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._keys = keys
        self._master = master
        self._kept = timedelta(seconds=token_seconds) + KEPT_AFTER_LAST_TOKEN
        self._audit = audit

    async def list_keys(self) -> Sequence[StoredKey]:
        """Every key, revoked ones as well, the oldest first."""
        async with self._database.read() as unit:
            return await self._keys.list_keys(unit)

    async def rotate(self, *, at_once: bool = False) -> Rotation:
        """Have the next key sign. The one before verifies until its last token has expired: nobody is logged
        out.

        It is refused while other services may not know the next key yet, unless it is to be ``at_once``.
        """
        async with self._database.write() as tx:
            keys = await self._keys.lock(tx)
            current, following = find_state(keys, KeyState.CURRENT), find_state(keys, KeyState.NEXT)
            if current is None:
                raise NotFound("signing key")
            wait_seconds = await self._prepare(tx, following)
            if wait_seconds and not at_once:
                return Rotation(current.kid, wait_seconds)
            await self._keys.move(tx, current.kid, KeyState.RETIRED)
            return Rotation(await self._promote(tx))

    async def revoke(self, kid: str) -> StoredKey:
        """Have a key verify no longer: its tokens are dead at once, on every instance.

        If it signs, the next one does from now on. Raises `NotFound`.
        """
        async with self._database.write() as tx:
            keys = await self._keys.lock(tx)
            key = next((each for each in keys if each.kid == kid), None)
            if key is None:
                raise NotFound("signing key")
            if key.state is KeyState.REVOKED:
                return key
            await self._keys.move(tx, kid, KeyState.REVOKED)
            tx.mark(KEYS_GENERATION)
            await self._audit.record(tx, SYSTEM, action=SigningKeyAction.REVOKED, resource=key.resource)
            if key.state is KeyState.CURRENT:
                await self._prepare(tx, find_state(keys, KeyState.NEXT))
                await self._promote(tx)
            elif key.state is KeyState.NEXT:
                await self._prepare(tx, None)
        return key

    async def look_after(self) -> None:
        """What the worker does: forget keys whose tokens have expired, and rotate when the time has come."""
        async with self._database.write() as tx:
            keys = await self._keys.lock(tx)
            current = find_state(keys, KeyState.CURRENT)
            if current is None:
                return  # no server has started yet
            wait_seconds = await self._prepare(tx, find_state(keys, KeyState.NEXT))
            if await self._keys.remove_retired(tx, kept=self._kept):
                tx.mark(KEYS_GENERATION)
            age_seconds = await self._keys.get_age_seconds(tx, current.kid)
            if age_seconds >= ROTATED_AFTER.total_seconds() and not wait_seconds:
                await self._keys.move(tx, current.kid, KeyState.RETIRED)
                await self._promote(tx)

    async def reseal(self) -> int:
        """Seal every private key with the present master secret; how many were sealed with another.

        Raises `SealBroken` where one was sealed with a secret that is not known here.
        """
        resealed = 0
        async with self._database.write() as tx:
            for key in await self._keys.lock(tx):
                if self._master.is_sealer_of(key.sealed_private_key):
                    continue
                sealed = seal_private(_opened(key, self._master), self._master)
                await self._keys.seal(tx, key.kid, sealed_private_key=sealed)
                resealed += 1
        return resealed

    async def _prepare(self, tx: WriteUnit, following: StoredKey | None) -> int:
        """See to it that there is a next key; how many seconds until others must know it."""
        if following is None:
            await add_key(tx, self._keys, KeyState.NEXT, master=self._master)
            tx.mark(KEYS_GENERATION)
            return PUBLISHED_SECONDS
        age_seconds = await self._keys.get_age_seconds(tx, following.kid)
        return max(0, math.ceil(PUBLISHED_SECONDS - age_seconds))

    async def _promote(self, tx: WriteUnit) -> str:
        """Have the next key sign, and publish another one; there is no current key at this point."""
        following = find_state(await self._keys.list_keys(tx), KeyState.NEXT)
        if following is None:
            raise NotFound("signing key")
        await self._keys.move(tx, following.kid, KeyState.CURRENT)
        await add_key(tx, self._keys, KeyState.NEXT, master=self._master)
        tx.mark(KEYS_GENERATION)
        await self._audit.record(tx, SYSTEM, action=SigningKeyAction.ROTATED, resource=following.resource)
        return following.kid


async def add_key(tx: WriteUnit, keys: PostgresSigningKeys, state: KeyState, *, master: MasterSecret) -> None:
    """Make a key in that state."""
    key = generate_signing_key(state)
    await keys.add(
        tx, kid=key.kid, public_key=key.public, sealed_private_key=seal_private(key, master), state=state
    )


def _opened(key: StoredKey, master: MasterSecret) -> SigningKey:
    return open_private(key.sealed_private_key, master, kid=key.kid, public=key.public_key, state=key.state)
