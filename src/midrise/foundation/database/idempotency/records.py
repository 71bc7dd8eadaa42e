"""The results of calls that were carried out, sealed: what makes a repeated call harmless."""

from datetime import timedelta
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from midrise.foundation.database.idempotency.attempt import (
    Attempt,
    IdempotencyInProgress,
    IdempotencyKeyReused,
)
from midrise.foundation.database.metadata import metadata
from midrise.foundation.database.statements import Statement
from midrise.foundation.database.units import WriteUnit
from midrise.foundation.security.secrets import MasterSecret

Result = TypeVar("Result")

LIFETIME = timedelta(hours=24)
_SEALING_PURPOSE = "idempotency record"
_LOCK_BYTES = 8

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("sealed_result", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
)

_once = select(literal(1).label("one")).subquery()
_CLAIM = Statement(
    select(
        func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger)).label("is_free"),
        idempotency_keys.c.fingerprint,
        idempotency_keys.c.sealed_result,
    ).select_from(
        _once.outerjoin(
            idempotency_keys,
            and_(idempotency_keys.c.id == bindparam("id"), idempotency_keys.c.expires_at > func.now()),
        )
    )
)
_new = insert(idempotency_keys).values(
    id=bindparam("id"),
    fingerprint=bindparam("fingerprint"),
    sealed_result=bindparam("sealed_result"),
    expires_at=func.now() + bindparam("lifetime", type_=INTERVAL),
)
_KEEP = Statement(
    _new.on_conflict_do_update(
        index_elements=[idempotency_keys.c.id],
        set_={
            "fingerprint": _new.excluded.fingerprint,
            "sealed_result": _new.excluded.sealed_result,
            "expires_at": _new.excluded.expires_at,
        },
        where=idempotency_keys.c.expires_at <= func.now(),
    )
)
_PURGE = Statement(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= func.now()))


class AttemptRecords:
    """The table of results. What it holds says nothing to who reads the database without the master secret."""

    def __init__(self, master: MasterSecret) -> None:
        self._master = master

    async def claim(self, tx: WriteUnit, attempt: Attempt, kind: type[Result]) -> Result | None:
        """The result of an earlier attempt, or None: then this attempt is the only one until ``tx`` ends.

        Raises `IdempotencyInProgress` and `IdempotencyKeyReused`.
        """
        row = await tx.row(_CLAIM, lock=_lock_of(attempt), id=attempt.record_id)
        if row is None or row["sealed_result"] is None:
            if row is None or not row["is_free"]:
                raise IdempotencyInProgress
            return None
        if row["fingerprint"] != attempt.fingerprint:
            raise IdempotencyKeyReused
        attempt.replayed = True
        plain = self._master.open(_SEALING_PURPOSE, row["sealed_result"], associated=attempt.record_id)
        return msgspec.msgpack.decode(plain, type=kind)

    async def keep(self, tx: WriteUnit, attempt: Attempt, result: Any) -> None:
        """Store the result beside the change. Raises `IdempotencyInProgress` where a twin was faster.

        That can be: the claim looks at the state before it has the lock, and a twin may have ended between.
        """
        plain = msgspec.msgpack.encode(result)
        kept = await tx.execute(
            _KEEP,
            id=attempt.record_id,
            fingerprint=attempt.fingerprint,
            sealed_result=self._master.seal(_SEALING_PURPOSE, plain, associated=attempt.record_id),
            lifetime=LIFETIME,
        )
        if kept == 0:
            raise IdempotencyInProgress

    async def purge(self, tx: WriteUnit) -> int:
        """Remove what is older than 24 hours; how many."""
        return await tx.execute(_PURGE)


def _lock_of(attempt: Attempt) -> int:
    return int.from_bytes(attempt.record_id[:_LOCK_BYTES], signed=True)
