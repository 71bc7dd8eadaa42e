"""API keys in PostgreSQL, whose clock decides whether one has expired."""

from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

import asyncpg
from sqlalchemy import bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import INTERVAL

from midrise.foundation.admission import ApiKeyState
from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import fields_of
from midrise.foundation.paging import Page, PageRequest, page_of
from midrise.modules.identity.api_keys.model import ApiKey
from midrise.modules.identity.tables import api_keys, user_roles, users

_SHOWN = (
    api_keys.c.id,
    api_keys.c.name,
    api_keys.c.permissions,
    api_keys.c.created_at,
    api_keys.c.last_used_at,
    api_keys.c.expires_at,
)
_INSERT = Statement(insert(api_keys).values({column: bindparam(column.name) for column in api_keys.columns}))
_COUNT = Statement(select(func.count()).where(api_keys.c.user_id == bindparam("user_id")))
_END_ONE = Statement(
    delete(api_keys).where(api_keys.c.id == bindparam("api_key_id"), api_keys.c.user_id == bindparam("user_id"))
)
_END_ALL = Statement(delete(api_keys).where(api_keys.c.user_id == bindparam("user_id")))
_ROLES = func.array(
    select(user_roles.c.role_name)
    .where(user_roles.c.user_id == users.c.id)
    .order_by(user_roles.c.role_name)
    .scalar_subquery()
).label("roles")
_STATE = Statement(
    select(api_keys.c.digest, api_keys.c.expires_at, api_keys.c.permissions, _ROLES)
    .join(users, users.c.id == api_keys.c.user_id)
    .where(
        api_keys.c.id == bindparam("api_key_id"),
        api_keys.c.user_id == bindparam("user_id"),
        users.c.is_active,
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > func.now()),
    )
)
_NOTE_USE = Statement(
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("api_key_id"),
        or_(
            api_keys.c.last_used_at.is_(None),
            api_keys.c.last_used_at < func.now() - bindparam("pause", type_=INTERVAL),
        ),
    )
    .values(last_used_at=func.now())
)
_PURGE = Statement(delete(api_keys).where(api_keys.c.expires_at < bindparam("before")))


class PostgresApiKeys:
    """The table of API keys."""

    async def add(self, tx: WriteUnit, key: ApiKey, *, user_id: UUID, digest: bytes) -> None:
        await tx.execute(
            _INSERT,
            id=key.id,
            user_id=user_id,
            name=key.name,
            digest=digest,
            permissions=list(key.permissions),
            created_at=key.created_at,
            last_used_at=key.last_used_at,
            expires_at=key.expires_at,
        )

    async def count(self, unit: ReadUnit, user_id: UUID) -> int:
        """How many keys the person has."""
        return int(await unit.value(_COUNT, user_id=user_id))

    async def list_keys(self, unit: ReadUnit, user_id: UUID, page: PageRequest) -> Page[ApiKey]:
        """The person's keys, the latest first."""
        values = {"after": page.after[0]} if page.after else {}
        rows = await unit.rows(_list(behind=bool(page.after)), **values, user_id=user_id, limit=page.limit + 1)
        return page_of([_key(row) for row in rows], page, lambda key: (key.id,))

    async def end_one(self, tx: WriteUnit, user_id: UUID, *, api_key_id: UUID) -> bool:
        """Forget the person's key; False where it had ended, never was, or is another's."""
        return await tx.execute(_END_ONE, user_id=user_id, api_key_id=api_key_id) == 1

    async def end_all(self, tx: WriteUnit, user_id: UUID) -> int:
        """Forget every key of the person's; how many."""
        return await tx.execute(_END_ALL, user_id=user_id)

    async def get_state(self, unit: ReadUnit, *, api_key_id: UUID, user_id: UUID) -> ApiKeyState:
        """What the key must be and may do, and its owner's roles."""
        row = await unit.row(_STATE, api_key_id=api_key_id, user_id=user_id)
        if row is None:
            return ApiKeyState()
        expires_at = row["expires_at"]
        return ApiKeyState(
            digest=row["digest"],
            expires_at=None if expires_at is None else expires_at.timestamp(),
            roles=tuple(row["roles"]),
            permissions=tuple(row["permissions"]),
        )

    async def note_use(self, tx: WriteUnit, api_key_id: UUID, *, pause: timedelta) -> None:
        """Write that the key is used now, unless that was written within the pause."""
        await tx.execute(_NOTE_USE, api_key_id=api_key_id, pause=pause)

    async def purge(self, tx: WriteUnit, *, expired_before: datetime) -> int:
        """Remove keys that expired before that time; how many."""
        return await tx.execute(_PURGE, before=expired_before)


@cache
def _list(*, behind: bool) -> Statement:
    # Ids are made in the order of time, and the index goes by user and id.
    statement = select(*_SHOWN).where(api_keys.c.user_id == bindparam("user_id"))
    if behind:
        statement = statement.where(api_keys.c.id < bindparam("after"))
    return Statement(statement.order_by(api_keys.c.id.desc()).limit(bindparam("limit")))


def _key(row: asyncpg.Record) -> ApiKey:
    return ApiKey(**fields_of(ApiKey, row) | {"permissions": tuple(row["permissions"])})
