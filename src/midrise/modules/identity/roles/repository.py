"""Roles in PostgreSQL."""

from collections.abc import Sequence
from functools import cache

import asyncpg
from sqlalchemy import ARRAY, Text, any_, bindparam, delete, func, insert, literal, select, update

from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import fields_of
from midrise.foundation.paging import Page, PageRequest, page_of
from midrise.modules.identity.roles.model import Role
from midrise.modules.identity.tables import role_permissions, roles

_PERMISSIONS = (
    func.array(
        select(role_permissions.c.permission)
        .where(role_permissions.c.role_name == roles.c.name)
        .order_by(role_permissions.c.permission)
        .scalar_subquery()
    )
).label("permissions")
_BY_NAME = Statement(select(roles, _PERMISSIONS).where(roles.c.name == bindparam("name")))
# Locked so that references to the row (a new user's roles) need not wait, but `known_names` does.
_LOCK = Statement(select(roles.c.name).where(roles.c.name == bindparam("name")).with_for_update(key_share=True))
_INSERT = Statement(insert(roles).values({column: bindparam(column.name) for column in roles.columns}))
_UPDATE = Statement(
    update(roles)
    .where(roles.c.name == bindparam("role_name"))
    .values(
        description=bindparam("description"),
        version=roles.c.version + literal(1),
        updated_at=bindparam("updated_at"),
    )
)
_DELETE = Statement(delete(roles).where(roles.c.name == bindparam("name")))
_REVOKE = Statement(delete(role_permissions).where(role_permissions.c.role_name == bindparam("role_name")))
_GRANT = Statement(
    insert(role_permissions).from_select(
        ["role_name", "permission"],
        select(bindparam("role_name", type_=Text), func.unnest(bindparam("permissions", type_=ARRAY(Text)))),
    )
)
_KNOWN = Statement(
    select(roles.c.name)
    .where(roles.c.name == any_(bindparam("names", type_=ARRAY(Text))))
    .with_for_update(read=True)
)
_GRANTED = Statement(
    select(role_permissions.c.permission)
    .distinct()
    .where(role_permissions.c.role_name == any_(bindparam("names", type_=ARRAY(Text))))
)
_ALL_GRANTS = Statement(select(role_permissions.c.role_name, role_permissions.c.permission))


class PostgresRoles:
    """The table of roles and what they grant."""

    async def add(self, tx: WriteUnit, role: Role) -> None:
        """Add a role. Raises `RoleTaken` by the constraint's name."""
        await tx.execute(
            _INSERT,
            name=role.name,
            description=role.description,
            built_in=role.built_in,
            version=role.version,
            created_at=role.created_at,
            updated_at=role.updated_at,
        )
        await tx.execute(_GRANT, role_name=role.name, permissions=list(role.permissions))

    async def find(self, unit: ReadUnit, name: str) -> Role | None:
        row = await unit.row(_BY_NAME, name=name)
        return _role(row) if row else None

    async def find_and_lock(self, tx: WriteUnit, name: str) -> Role | None:
        """The role, which nobody else changes or gives to anybody until the transaction ends."""
        # Read by a statement of its own: one that had to wait for the lock sees the permissions of before.
        return await self.find(tx, name) if await tx.row(_LOCK, name=name) else None

    async def save(self, tx: WriteUnit, role: Role) -> None:
        """Keep description and permissions as they now are, as the next version."""
        await tx.execute(_UPDATE, role_name=role.name, description=role.description, updated_at=role.updated_at)
        await tx.execute(_REVOKE, role_name=role.name)
        await tx.execute(_GRANT, role_name=role.name, permissions=list(role.permissions))

    async def remove(self, tx: WriteUnit, name: str) -> None:
        """Raises `RoleInUse` by the constraint's name."""
        await tx.execute(_DELETE, name=name)

    async def list_roles(self, unit: ReadUnit, page: PageRequest) -> Page[Role]:
        """By name."""
        values = {"after": page.after[0]} if page.after else {}
        rows = await unit.rows(_list(behind=bool(page.after)), **values, limit=page.limit + 1)
        return page_of([_role(row) for row in rows], page, lambda role: (role.name,))

    async def known_names(self, tx: WriteUnit, names: Sequence[str]) -> frozenset[str]:
        """Which of the names are roles; these neither change nor go before the transaction ends."""
        rows = await tx.rows(_KNOWN, names=list(names))
        return frozenset(row["name"] for row in rows)

    async def stored_permissions(self, unit: ReadUnit) -> dict[str, list[str]]:
        """The permissions of every role."""
        stored: dict[str, list[str]] = {}
        for row in await unit.rows(_ALL_GRANTS):
            stored.setdefault(row["role_name"], []).append(row["permission"])
        return stored

    async def granted(self, unit: ReadUnit, names: Sequence[str]) -> frozenset[str]:
        """The permissions stored for the roles."""
        rows = await unit.rows(_GRANTED, names=list(names))
        return frozenset(row["permission"] for row in rows)


@cache
def _list(*, behind: bool) -> Statement:
    statement = select(roles, _PERMISSIONS)
    if behind:
        statement = statement.where(roles.c.name > bindparam("after"))
    return Statement(statement.order_by(roles.c.name).limit(bindparam("limit")))


def _role(row: asyncpg.Record) -> Role:
    values = fields_of(Role, row)
    return Role(**{**values, "permissions": tuple(values["permissions"])})
