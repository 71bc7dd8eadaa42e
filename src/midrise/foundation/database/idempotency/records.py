"""The results of calls that were carried out, sealed: what makes a repeated call harmless."""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

import asyncpg
import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL, insert

from midrise.foundation.database.errors import OutcomeUnknown
from midrise.foundation.database.idempotency.attempt import (
    Attempt,
    IdempotencyInProgress,
    IdempotencyKeyReused,
)
from midrise.foundation.database.metadata import metadata
from midrise.foundation.database.statements import Statement, deletion_of
from midrise.foundation.database.units import ReadUnit
from midrise.foundation.database.write_units import WriteUnit
from midrise.foundation.errors import Unavailable
from midrise.foundation.security.secrets import MasterSecret

Result = TypeVar("Result")

LIFETIME = timedelta(hours=24)
LIFETIME_OF_GATEWAY = timedelta(minutes=10)
"""Far longer than the gateway goes on trying."""

_SEALING_PURPOSE = "idempotency record"
_FINGERPRINT_PURPOSE = "idempotency fingerprint"
_LOCK_BYTES = 8
_NO_RESULT = b""

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("sealed_result", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Index("ix_idempotency_keys_expires_at", "expires_at"),
)

_ONE: ColumnElement[int] = literal_column("1", Integer).label("one")
_once = select(_ONE).subquery()
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
    ).returning(_ONE)
)
# Waits for a twin that holds the same id until that has ended. Gives no row where it was committed.
_BEGIN = Statement(
    _new.on_conflict_do_update(
        index_elements=[idempotency_keys.c.id],
        set_={
            "sealed_result": _new.excluded.sealed_result,
            "expires_at": _new.excluded.expires_at,
        },
        where=idempotency_keys.c.expires_at <= func.now(),
    ).returning(_ONE)
)
_FIND = Statement(select(idempotency_keys.c.sealed_result).where(idempotency_keys.c.id == bindparam("id")))
_FIND_KEPT = Statement(
    select(idempotency_keys.c.fingerprint, idempotency_keys.c.sealed_result).where(
        and_(idempotency_keys.c.id == bindparam("id"), idempotency_keys.c.expires_at > func.now())
    )
)
_END = Statement(
    update(idempotency_keys)
    .where(idempotency_keys.c.id == bindparam("record_id"))
    .values(sealed_result=bindparam("result"))
    .returning(_ONE)
)
_PURGE = deletion_of(
    select(idempotency_keys.c.id)
    .where(idempotency_keys.c.expires_at <= func.now())
    .order_by(idempotency_keys.c.expires_at)
    .limit(bindparam("limit"))
    # One that is locked is just being renewed.
    .with_for_update(skip_locked=True)
)


@dataclass(frozen=True, slots=True)
class Kept(Generic[Result]):
    """What an earlier attempt came to."""

    result: Result


class AttemptRecords:
    """The table of results. What it holds says nothing to who reads the database without the master secret."""

    def __init__(self, master: MasterSecret) -> None:
        self._master = master

    async def claim(self, tx: WriteUnit, attempt: Attempt, kind: type[Result]) -> Kept[Result] | None:
        """What an earlier attempt came to, or None: then this attempt is the only one until ``tx`` ends.

        The twin of one that is still under way is refused if a client sent it, and waits if the gateway did.
        Raises `IdempotencyInProgress` and `IdempotencyKeyReused` for a client's, `OutcomeUnknown` for one of
        the gateway's that waited too long.
        """
        sealed = await (self._wait_for_twin if attempt.of_gateway else self._refuse_twin)(tx, attempt)
        if sealed is None:
            return None
        attempt.replayed = True
        return Kept(self._opened(sealed, attempt, kind))

    async def find(self, unit: ReadUnit, attempt: Attempt, kind: type[Result]) -> Kept[Result] | None:
        """What an attempt came to that has ended by now, of a client's. Raises `IdempotencyKeyReused`."""
        row = await unit.row(_FIND_KEPT, id=attempt.record_id)
        if row is None:
            return None
        if not self._is_fingerprint_of(attempt, row["fingerprint"]):
            raise IdempotencyKeyReused
        attempt.replayed = True
        return Kept(self._opened(row["sealed_result"], attempt, kind))

    async def keep(self, tx: WriteUnit, attempt: Attempt, result: Any) -> None:
        """Store the result beside the change, as the last thing that its unit does.

        Raises `IdempotencyInProgress` where a twin was faster. That can be for a client's: the claim looks at
        the state before it has the lock, and a twin may have ended between.
        """
        if attempt.of_gateway:
            if result is not None:
                await tx.conclude(_END, record_id=attempt.record_id, result=self._sealed(result, attempt))
            return
        kept = await tx.conclude(
            _KEEP,
            id=attempt.record_id,
            fingerprint=self._fingerprint(attempt, self._master),
            sealed_result=self._sealed(result, attempt),
            lifetime=LIFETIME,
        )
        if kept is None:
            raise IdempotencyInProgress

    async def purge(self, tx: WriteUnit, *, limit: int) -> int:
        """Remove so many records at most that have had their time; how many it were."""
        return await tx.execute(_PURGE, limit=limit)

    async def _refuse_twin(self, tx: WriteUnit, attempt: Attempt) -> bytes | None:
        row = await tx.row(_CLAIM, lock=_lock_of(attempt), id=attempt.record_id)
        if row is None or row["sealed_result"] is None:
            if row is None or not row["is_free"]:
                raise IdempotencyInProgress
            return None
        if not self._is_fingerprint_of(attempt, row["fingerprint"]):
            raise IdempotencyKeyReused
        return bytes(row["sealed_result"])

    async def _wait_for_twin(self, tx: WriteUnit, attempt: Attempt) -> bytes | None:
        try:
            begun = await tx.row(
                _BEGIN,
                id=attempt.record_id,
                fingerprint=self._fingerprint(attempt, self._master),
                sealed_result=_NO_RESULT,
                lifetime=LIFETIME_OF_GATEWAY,
            )
        except Unavailable as told:
            if isinstance(told.__cause__, asyncpg.LockNotAvailableError):
                raise OutcomeUnknown from told.__cause__
            raise
        return None if begun is not None else await tx.value(_FIND, id=attempt.record_id)

    def _fingerprint(self, attempt: Attempt, secret: MasterSecret) -> bytes:
        # Keyed: a plain digest of a body with a password would let who reads the table try passwords, fast.
        return hmac.digest(secret.derive(_FINGERPRINT_PURPOSE), attempt.fingerprint, "sha256")

    def _is_fingerprint_of(self, attempt: Attempt, stored: bytes) -> bool:
        secrets = (self._master, *self._master.previous)
        return any(hmac.compare_digest(stored, self._fingerprint(attempt, secret)) for secret in secrets)

    def _sealed(self, result: Any, attempt: Attempt) -> bytes:
        plain = msgspec.msgpack.encode(result)
        return self._master.seal(_SEALING_PURPOSE, plain, associated=attempt.record_id)

    def _opened(self, sealed: bytes, attempt: Attempt, kind: type[Result]) -> Result:
        if sealed == _NO_RESULT:
            return msgspec.convert(None, type=kind)
        plain = self._master.open(_SEALING_PURPOSE, sealed, associated=attempt.record_id)
        return msgspec.msgpack.decode(plain, type=kind)


def _lock_of(attempt: Attempt) -> int:
    return int.from_bytes(attempt.record_id[:_LOCK_BYTES], signed=True)
