"""Mailed tokens in PostgreSQL, whose clock decides whether one has expired."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, Interval, Text, any_, bindparam, func, insert, or_, select, text, update

from midrise.foundation.database import ReadUnit, Statement, WriteUnit, deletion_of
from midrise.foundation.database.rows import fields_of, values_of
from midrise.modules.identity.email_tokens.model import EmailPurpose, EmailToken
from midrise.modules.identity.tables import email_tokens
from midrise.modules.identity.users.model import email_key

_SHOWN = tuple(
    email_tokens.c[name] for name in ("id", "user_id", "purpose", "email", "created_at", "expires_at")
)
_HOUR, _DAY = text("interval '1 hour'"), text("interval '1 day'")
_INSERT = Statement(
    insert(email_tokens).values(
        {**{column.name: bindparam(column.name) for column in _SHOWN}, "email_key": bindparam("email_key")}
    )
)
_OF_PURPOSES = email_tokens.c.purpose == any_(bindparam("purposes", type_=ARRAY(Text)))
_VOID = Statement(
    update(email_tokens)
    .where(email_tokens.c.user_id == bindparam("user_id"), _OF_PURPOSES, email_tokens.c.spent_at.is_(None))
    .values(spent_at=func.now())
)
_COUNTS = Statement(
    select(
        func.count().filter(email_tokens.c.created_at > func.now() - _HOUR).label("last_hour"),
        func.count().label("last_day"),
    ).where(
        or_(
            email_tokens.c.user_id == bindparam("user_id"),
            email_tokens.c.email_key == bindparam("email_key"),
        ),
        email_tokens.c.purpose == bindparam("purpose"),
        email_tokens.c.created_at > func.now() - _DAY,
    )
)
_ISSUE = Statement(
    update(email_tokens)
    .where(email_tokens.c.id == bindparam("token_id"), email_tokens.c.spent_at.is_(None))
    .values(digest=bindparam("digest"), expires_at=func.now() + bindparam("lifetime", type_=Interval))
    .returning(*_SHOWN)
)
_FOUND = (
    email_tokens.c.digest == bindparam("digest"),
    _OF_PURPOSES,
    email_tokens.c.spent_at.is_(None),
    email_tokens.c.expires_at > func.now(),
)
_FIND = Statement(select(*_SHOWN).where(*_FOUND))
_BY_ID = Statement(select(*_SHOWN).where(email_tokens.c.id == bindparam("token_id")))
_SPEND = Statement(update(email_tokens).where(*_FOUND).values(spent_at=func.now()))
_PURGE = deletion_of(
    select(email_tokens.c.id)
    .where(email_tokens.c.expires_at < bindparam("before"))
    .order_by(email_tokens.c.expires_at)
    .limit(bindparam("limit"))
)


class PostgresEmailTokens:
    """The table of mailed tokens."""

    async def add(self, tx: WriteUnit, token: EmailToken) -> None:
        await tx.execute(_INSERT, **values_of(token), email_key=email_key(token.email))

    async def count_recent(
        self, unit: ReadUnit, user_id: UUID, *, email: str, purpose: EmailPurpose
    ) -> tuple[int, int]:
        """How many were asked for by the account or for the address: in the last hour, and in the last day."""
        row = await unit.row(_COUNTS, user_id=user_id, email_key=email_key(email), purpose=purpose.value)
        return (row["last_hour"], row["last_day"]) if row else (0, 0)

    async def void(self, tx: WriteUnit, user_id: UUID, purposes: Collection[EmailPurpose]) -> None:
        """Have the account's tokens of these purposes be good for nothing any more."""
        await tx.execute(_VOID, user_id=user_id, purposes=[purpose.value for purpose in purposes])

    async def issue(self, tx: WriteUnit, token: EmailToken, *, digest: bytes, lifetime: timedelta) -> bool:
        """Give a token its secret, in place of an earlier one; False where it is void by now."""
        row = await tx.row(_ISSUE, token_id=token.id, digest=digest, lifetime=lifetime)
        return row is not None

    async def find_by_id(self, unit: ReadUnit, token_id: UUID) -> EmailToken | None:
        row = await unit.row(_BY_ID, token_id=token_id)
        return _token(row) if row else None

    async def find(
        self, unit: ReadUnit, digest: bytes, purposes: Collection[EmailPurpose]
    ) -> EmailToken | None:
        """The token, if it is still good for one of these purposes."""
        row = await unit.row(_FIND, digest=digest, purposes=[purpose.value for purpose in purposes])
        return _token(row) if row else None

    async def spend(self, tx: WriteUnit, digest: bytes, purposes: Collection[EmailPurpose]) -> bool:
        """Use the token up; False where somebody else did, or it is good for nothing any more."""
        return await tx.execute(_SPEND, digest=digest, purposes=[p.value for p in purposes]) == 1

    async def purge(self, tx: WriteUnit, *, expired_before: datetime, limit: int) -> int:
        """Remove so many tokens at most that expired before that time; how many it were."""
        return await tx.execute(_PURGE, before=expired_before, limit=limit)


def _token(row: asyncpg.Record) -> EmailToken:
    values = fields_of(EmailToken, row)
    return EmailToken(**{**values, "purpose": EmailPurpose(values["purpose"])})
