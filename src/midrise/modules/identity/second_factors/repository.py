"""Second factors and recovery codes in PostgreSQL."""

from collections.abc import Iterable
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, LargeBinary, bindparam, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import fields_of
from midrise.modules.identity.second_factors.model import SecondFactor
from midrise.modules.identity.tables import recovery_codes, second_factors

_IS_USERS = second_factors.c.user_id == bindparam("whose")
_FIND = Statement(select(second_factors).where(_IS_USERS))
_LOCK = Statement(select(second_factors).where(_IS_USERS).with_for_update())
_START = insert(second_factors).values(
    user_id=bindparam("user_id"), sealed_secret=bindparam("sealed_secret"), created_at=func.now()
)
_START_AGAIN = Statement(
    _START.on_conflict_do_update(
        index_elements=[second_factors.c.user_id],
        set_={"sealed_secret": _START.excluded.sealed_secret, "created_at": func.now()},
        where=second_factors.c.confirmed_at.is_(None),
    )
)
_CONFIRM = Statement(update(second_factors).where(_IS_USERS).values(confirmed_at=func.now()))
_REMEMBER_STEP = Statement(update(second_factors).where(_IS_USERS).values(last_step=bindparam("step")))
_REMOVE = Statement(delete(second_factors).where(_IS_USERS))
_ADD_CODES = Statement(
    insert(recovery_codes).from_select(
        ["user_id", "digest"],
        select(
            bindparam("user_id", type_=recovery_codes.c.user_id.type),
            func.unnest(bindparam("digests", type_=ARRAY(LargeBinary))),
        ),
    )
)
_REMOVE_CODES = Statement(delete(recovery_codes).where(recovery_codes.c.user_id == bindparam("whose")))
_SPEND_CODE = Statement(
    delete(recovery_codes).where(
        recovery_codes.c.user_id == bindparam("whose"), recovery_codes.c.digest == bindparam("spent")
    )
)
_SEALED_OTHERWISE = Statement(
    select(second_factors)
    .where(
        func.substring(second_factors.c.sealed_secret, 1, func.length(bindparam("prefix", type_=LargeBinary)))
        != bindparam("prefix", type_=LargeBinary)
    )
    .order_by(second_factors.c.user_id)
    .limit(bindparam("limit"))
    .with_for_update()
)
_SEAL = Statement(update(second_factors).where(_IS_USERS).values(sealed_secret=bindparam("sealed")))


class PostgresSecondFactors:
    """The tables of second factors and of recovery codes."""

    async def find(self, unit: ReadUnit, user_id: UUID) -> SecondFactor | None:
        row = await unit.row(_FIND, whose=user_id)
        return _factor(row) if row else None

    async def find_and_lock(self, tx: WriteUnit, user_id: UUID) -> SecondFactor | None:
        """The factor, of which nobody else takes a code until the transaction ends."""
        row = await tx.row(_LOCK, whose=user_id)
        return _factor(row) if row else None

    async def lock_sealed_otherwise(self, tx: WriteUnit, *, prefix: bytes, limit: int) -> list[SecondFactor]:
        """So many factors at most whose seal does not begin like this."""
        return [_factor(row) for row in await tx.rows(_SEALED_OTHERWISE, prefix=prefix, limit=limit)]

    async def seal(self, tx: WriteUnit, user_id: UUID, *, sealed_secret: bytes) -> None:
        """Keep the secret in another seal."""
        await tx.execute(_SEAL, whose=user_id, sealed=sealed_secret)

    async def start(self, tx: WriteUnit, user_id: UUID, *, sealed_secret: bytes) -> bool:
        """Keep a secret that waits to be confirmed, in place of one that still does; False where one is on."""
        return await tx.execute(_START_AGAIN, user_id=user_id, sealed_secret=sealed_secret) == 1

    async def confirm(self, tx: WriteUnit, user_id: UUID, *, digests: Iterable[bytes]) -> None:
        """Have the factor count from now on, with these recovery codes."""
        await tx.execute(_CONFIRM, whose=user_id)
        await tx.execute(_ADD_CODES, user_id=user_id, digests=list(digests))

    async def remember_step(self, tx: WriteUnit, user_id: UUID, step: int) -> None:
        """Keep which code was taken last."""
        await tx.execute(_REMEMBER_STEP, whose=user_id, step=step)

    async def spend_recovery_code(self, tx: WriteUnit, user_id: UUID, digest: bytes) -> bool:
        """Use the code up; False where it is none, or is used up."""
        return await tx.execute(_SPEND_CODE, whose=user_id, spent=digest) == 1

    async def remove(self, tx: WriteUnit, user_id: UUID) -> bool:
        """Forget the factor and its recovery codes; False where there is none."""
        await tx.execute(_REMOVE_CODES, whose=user_id)
        return await tx.execute(_REMOVE, whose=user_id) == 1


def _factor(row: asyncpg.Record) -> SecondFactor:
    return SecondFactor(**fields_of(SecondFactor, row))
