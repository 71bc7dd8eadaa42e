"""The keys in force in this process."""

from midrise.foundation.database import Database
from midrise.foundation.security.secrets import MasterSecret
from midrise.foundation.security.signing_keys import (
    KeyRing,
    KeyState,
    SigningKey,
    generate_signing_key,
    open_private,
    seal_private,
)
from midrise.modules.identity.signing_keys.model import StoredKey
from midrise.modules.identity.signing_keys.repository import PostgresSigningKeys


class SigningKeys:
    """Loads the keys from the database into the ring that signs and verifies; makes the very first one."""

    def __init__(
        self, *, database: Database, keys: PostgresSigningKeys, ring: KeyRing, master: MasterSecret
    ) -> None:
        self._database = database
        self._keys = keys
        self._master = master
        self.ring = ring

    async def load(self) -> None:
        """Put the stored keys in force. Raises `SealBroken` where another master secret has sealed them."""
        async with self._database.read() as unit:
            stored = await self._keys.list_usable(unit)
        if not any(key.state is KeyState.CURRENT for key in stored):
            await self._make_first()
            async with self._database.read() as unit:
                stored = await self._keys.list_usable(unit)
        self.ring.swap([self._opened(key) for key in stored])

    async def _make_first(self) -> None:
        key = generate_signing_key(KeyState.CURRENT)
        async with self._database.write() as tx:
            await self._keys.add_first(
                tx, kid=key.kid, public_key=key.public, sealed_private_key=seal_private(key, self._master)
            )

    def _opened(self, key: StoredKey) -> SigningKey:
        return open_private(
            key.sealed_private_key, self._master, kid=key.kid, public=key.public_key, state=key.state
        )
