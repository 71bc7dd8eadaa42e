"""Users in PostgreSQL."""

from functools import cache
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    any_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)

from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import fields_of, values_of
from midrise.foundation.paging import Page, PageRequest, page_of
from midrise.foundation.text import sort_key
from midrise.modules.identity.roles.model import ADMINISTRATOR
from midrise.modules.identity.tables import roles, second_factors, user_roles, users
from midrise.modules.identity.users.model import Credentials, Locale, User, UserFilter, email_key

_ROLES = (
    func.array(
        select(user_roles.c.role_name)
        .where(user_roles.c.user_id == users.c.id)
        .order_by(user_roles.c.role_name)
        .scalar_subquery()
    )
).label("roles")
_SHOWN = (
    users.c.id,
    users.c.email,
    users.c.name,
    users.c.locale,
    users.c.is_active,
    users.c.email_verified,
    users.c.version,
    users.c.created_at,
    users.c.updated_at,
    _ROLES,
)
_INSERT = Statement(insert(users).values({column: bindparam(column.name) for column in users.columns}))
_BY_ID = Statement(select(*_SHOWN).where(users.c.id == bindparam("user_id")))
# Locked so that references to the row (a log-in's session) need not wait.
_LOCK = Statement(select(users.c.id).where(users.c.id == bindparam("user_id")).with_for_update(key_share=True))
_HAS_SECOND_FACTOR = exists().where(
    second_factors.c.user_id == users.c.id, second_factors.c.confirmed_at.is_not(None)
)
_CREDENTIALS = Statement(
    select(
        users.c.id, users.c.password_hash, users.c.is_active, _HAS_SECOND_FACTOR.label("has_second_factor")
    ).where(users.c.email_key == bindparam("email_key"))
)
_UPDATE = Statement(
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values(
        name=bindparam("name"),
        name_key=bindparam("name_key"),
        locale=bindparam("locale"),
        version=users.c.version + literal(1),
        updated_at=bindparam("updated_at"),
    )
)
_HAS_CREDENTIALS = (
    users.c.id == bindparam("user_id"),
    users.c.password_hash == bindparam("password_hash"),
    users.c.is_active,
)
HELD_CREDENTIALS = select(users.c.id).where(*_HAS_CREDENTIALS).with_for_update(read=True)
"""The user whose credentials these are (``user_id``, ``password_hash``), held until the transaction ends."""
_HOLD_CREDENTIALS = Statement(HELD_CREDENTIALS)
_REPLACE_HASH = Statement(
    update(users).where(*_HAS_CREDENTIALS).values(password_hash=bindparam("stronger_hash"))
)
_TOUCH = Statement(
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values(version=users.c.version + literal(1), updated_at=bindparam("updated_at"))
)
_TAKE_ROLES = Statement(delete(user_roles).where(user_roles.c.user_id == bindparam("user_id")))
_GIVE_ROLES = Statement(
    insert(user_roles).from_select(
        ["user_id", "role_name"],
        select(bindparam("user_id", type_=users.c.id.type), roles.c.name).where(
            roles.c.name == any_(bindparam("names", type_=ARRAY(Text)))
        ),
    )
)
_LOCK_ADMINISTRATION = Statement(
    select(roles.c.name).where(roles.c.name == ADMINISTRATOR).with_for_update(key_share=True)
)
_OTHER_ADMINISTRATORS = Statement(
    select(func.count())
    .select_from(user_roles.join(users, users.c.id == user_roles.c.user_id))
    .where(
        user_roles.c.role_name == ADMINISTRATOR,
        users.c.is_active,
        users.c.id != bindparam("user_id"),
    )
)


class PostgresUsers:
    """The table of users and their roles."""

    async def add(self, tx: WriteUnit, user: User, *, password_hash: str) -> None:
        """Add a user with its roles. Raises `EmailTaken` by the constraint's name."""
        values = {name: value for name, value in values_of(user).items() if name != "roles"}
        await tx.execute(
            _INSERT,
            **values,
            email_key=email_key(user.email),
            name_key=sort_key(user.name),
            password_hash=password_hash,
        )
        await tx.execute(_GIVE_ROLES, user_id=user.id, names=list(user.roles))

    async def find(self, unit: ReadUnit, user_id: UUID) -> User | None:
        row = await unit.row(_BY_ID, user_id=user_id)
        return _user(row) if row else None

    async def find_and_lock(self, tx: WriteUnit, user_id: UUID) -> User | None:
        """The user, whom nobody else changes until the transaction ends."""
        # Read by a statement of its own: one that had to wait for the lock sees the roles of before.
        return await self.find(tx, user_id) if await tx.row(_LOCK, user_id=user_id) else None

    async def find_credentials(self, unit: ReadUnit, email: str) -> Credentials | None:
        row = await unit.row(_CREDENTIALS, email_key=email_key(email))
        if row is None:
            return None
        return Credentials(row["id"], row["password_hash"], row["is_active"], row["has_second_factor"])

    async def save(self, tx: WriteUnit, user: User) -> None:
        """Keep name and locale as they now are, as the next version."""
        await tx.execute(
            _UPDATE,
            user_id=user.id,
            name=user.name,
            name_key=sort_key(user.name),
            locale=user.locale.value,
            updated_at=user.updated_at,
        )

    async def hold_credentials(self, tx: WriteUnit, verified: Credentials) -> bool:
        """Whether they are still the user's; then they stay so until the transaction ends."""
        row = await tx.row(_HOLD_CREDENTIALS, user_id=verified.user_id, password_hash=verified.password_hash)
        return row is not None

    async def replace_hash(self, tx: WriteUnit, verified: Credentials, *, stronger_hash: str) -> None:
        """Keep another hash of the same password, unless the password has changed."""
        await tx.execute(
            _REPLACE_HASH,
            user_id=verified.user_id,
            password_hash=verified.password_hash,
            stronger_hash=stronger_hash,
        )

    async def assign_roles(self, tx: WriteUnit, user: User) -> None:
        """Keep the roles as they now are, as the next version."""
        await tx.execute(_TAKE_ROLES, user_id=user.id)
        await tx.execute(_GIVE_ROLES, user_id=user.id, names=list(user.roles))
        await tx.execute(_TOUCH, user_id=user.id, updated_at=user.updated_at)

    async def lock_administration(self, tx: WriteUnit) -> None:
        """Have changes of who administers wait for each other."""
        await tx.execute(_LOCK_ADMINISTRATION)

    async def count_other_administrators(self, unit: ReadUnit, user_id: UUID) -> int:
        """Active administrators besides this user."""
        count: int = await unit.value(_OTHER_ADMINISTRATORS, user_id=user_id)
        return count

    async def list_users(self, unit: ReadUnit, wanted: UserFilter, page: PageRequest) -> Page[User]:
        """Newest first."""
        filters: dict[str, Any] = {
            name: value for name, value in values_of(wanted).items() if value is not None
        }
        statement = _list(frozenset(filters), behind=page.after is not None)
        if wanted.email is not None:
            filters["email"] = email_key(wanted.email)
        if wanted.text is not None:
            filters["text"] = _like(wanted.text)
        if page.after is not None:
            filters["after_created_at"], filters["after_id"] = page.after
        rows = [_user(row) for row in await unit.rows(statement, **filters, limit=page.limit + 1)]
        return page_of(rows, page, lambda user: (user.created_at, user.id))


@cache
def _list(filters: frozenset[str], *, behind: bool) -> Statement:
    has_role = exists().where(user_roles.c.user_id == users.c.id, user_roles.c.role_name == bindparam("role"))
    conditions: dict[str, ColumnElement[bool]] = {
        "email": users.c.email_key == bindparam("email"),
        "role": has_role,
        "is_active": users.c.is_active == bindparam("is_active"),
        "text": users.c.email_key.like(bindparam("text")) | users.c.name_key.like(bindparam("text")),
    }
    statement = select(*_SHOWN).where(*(conditions[name] for name in sorted(filters)))
    if behind:
        keys = tuple_(users.c.created_at, users.c.id)
        after = tuple_(
            bindparam("after_created_at", type_=users.c.created_at.type),
            bindparam("after_id", type_=users.c.id.type),
        )
        statement = statement.where(keys < after)
    statement = statement.order_by(users.c.created_at.desc(), users.c.id.desc())
    return Statement(statement.limit(bindparam("limit")))


def _like(text: str) -> str:
    escaped = sort_key(text).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _user(row: asyncpg.Record) -> User:
    values = fields_of(User, row)
    return User(**{**values, "locale": Locale(values["locale"]), "roles": tuple(values["roles"])})
