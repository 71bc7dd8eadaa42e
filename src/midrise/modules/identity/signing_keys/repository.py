"""Signing keys in PostgreSQL."""

from collections.abc import Sequence

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import fields_of
from midrise.foundation.security.signing_keys import KeyState
from midrise.modules.identity.signing_keys.model import StoredKey
from midrise.modules.identity.tables import signing_keys

_USABLE = Statement(
    select(signing_keys)
    .where(signing_keys.c.state != KeyState.REVOKED.value)
    .order_by(signing_keys.c.created_at)
)
_ADD_FIRST = Statement(
    insert(signing_keys)
    .values(
        kid=bindparam("kid"),
        public_key=bindparam("public_key"),
        sealed_private_key=bindparam("sealed_private_key"),
        state=KeyState.CURRENT.value,
        created_at=func.now(),
    )
    .on_conflict_do_nothing()
)


class PostgresSigningKeys:
    """The table of signing keys."""

    async def list_usable(self, unit: ReadUnit) -> Sequence[StoredKey]:
        """Every key that still verifies."""
        rows = await unit.rows(_USABLE)
        return [StoredKey(**{**fields_of(StoredKey, row), "state": KeyState(row["state"])}) for row in rows]

    async def add_first(self, tx: WriteUnit, *, kid: str, public_key: bytes, sealed_private_key: bytes) -> None:
        """Add the current key, unless there is one: of several instances that start at once, one wins."""
        await tx.execute(_ADD_FIRST, kid=kid, public_key=public_key, sealed_private_key=sealed_private_key)
