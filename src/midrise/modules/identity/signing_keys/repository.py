"""Signing keys in PostgreSQL."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import fields_of
from midrise.foundation.security.signing_keys import KeyState
from midrise.modules.identity.signing_keys.model import StoredKey
from midrise.modules.identity.tables import signing_keys

_ALL = select(signing_keys).order_by(signing_keys.c.created_at, signing_keys.c.kid)
_LIST = Statement(_ALL)
_LOCK = Statement(_ALL.with_for_update())
_USABLE = Statement(_ALL.where(signing_keys.c.state != KeyState.REVOKED.value))
_CURRENT = Statement(select(signing_keys.c.kid).where(signing_keys.c.state == KeyState.CURRENT.value))
# Of several instances that make the first keys at once, one wins.
_ADD = Statement(
    insert(signing_keys)
    .values(
        kid=bindparam("kid"),
        public_key=bindparam("public_key"),
        sealed_private_key=bindparam("sealed_private_key"),
        state=bindparam("state"),
        created_at=func.now(),
        moved_at=func.now(),
    )
    .on_conflict_do_nothing()
)
_MOVE = Statement(
    update(signing_keys)
    .where(signing_keys.c.kid == bindparam("moved_kid"))
    .values(state=bindparam("to_state"), moved_at=func.now())
)
_SEAL = Statement(
    update(signing_keys)
    .where(signing_keys.c.kid == bindparam("sealed_kid"))
    .values(sealed_private_key=bindparam("sealed"))
)
_AGE = Statement(
    select(func.extract("epoch", func.now() - signing_keys.c.moved_at)).where(
        signing_keys.c.kid == bindparam("kid")
    )
)
_REMOVE_RETIRED = Statement(
    delete(signing_keys).where(
        signing_keys.c.state == KeyState.RETIRED.value,
        signing_keys.c.moved_at < func.now() - bindparam("kept", type_=INTERVAL),
    )
)


class PostgresSigningKeys:
    """The table of signing keys."""

    async def list_keys(self, unit: ReadUnit) -> list[StoredKey]:
        """Every key, the oldest first."""
        return [_stored(row) for row in await unit.rows(_LIST)]

    async def list_usable(self, unit: ReadUnit) -> Sequence[StoredKey]:
        """Every key that still verifies."""
        return [_stored(row) for row in await unit.rows(_USABLE)]

    async def lock(self, tx: WriteUnit) -> list[StoredKey]:
        """Every key; nobody else changes one until the transaction ends."""
        # Read by a statement of its own: one that had to wait for the lock sees the states of before.
        await tx.rows(_LOCK)
        return await self.list_keys(tx)

    async def find_current_kid(self, unit: ReadUnit) -> str | None:
        """The id of the key that signs."""
        kid: str | None = await unit.value(_CURRENT)
        return kid

    async def get_age_seconds(self, unit: ReadUnit, kid: str) -> float:
        """How long the key has been in its state, by the database's clock."""
        return float(await unit.value(_AGE, kid=kid))

    async def add(
        self, tx: WriteUnit, *, kid: str, public_key: bytes, sealed_private_key: bytes, state: KeyState
    ) -> None:
        """Add a key, unless there is one in that state, of which there can be one alone."""
        await tx.execute(
            _ADD, kid=kid, public_key=public_key, sealed_private_key=sealed_private_key, state=state.value
        )

    async def move(self, tx: WriteUnit, kid: str, state: KeyState) -> None:
        await tx.execute(_MOVE, moved_kid=kid, to_state=state.value)

    async def seal(self, tx: WriteUnit, kid: str, *, sealed_private_key: bytes) -> None:
        """Keep the private half in another seal."""
        await tx.execute(_SEAL, sealed_kid=kid, sealed=sealed_private_key)

    async def remove_retired(self, tx: WriteUnit, *, kept: timedelta) -> int:
        """Remove keys that were retired longer ago; how many."""
        return await tx.execute(_REMOVE_RETIRED, kept=kept)


def _stored(row: asyncpg.Record) -> StoredKey:
    return StoredKey(**fields_of(StoredKey, row) | {"state": KeyState(row["state"])})
