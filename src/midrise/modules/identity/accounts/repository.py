"""Users in PostgreSQL, as they are changed by others and deleted."""

from uuid import UUID

from sqlalchemy import bindparam, delete, literal, update

from midrise.foundation.database import Statement, WriteUnit
from midrise.foundation.text import sort_key
from midrise.modules.identity.tables import users
from midrise.modules.identity.users.model import User, email_key

_SAVE = Statement(
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values(
        name=bindparam("name"),
        name_key=bindparam("name_key"),
        locale=bindparam("locale"),
        email=bindparam("email"),
        email_key=bindparam("email_key"),
        email_verified=bindparam("email_verified"),
        is_active=bindparam("is_active"),
        version=users.c.version + literal(1),
        updated_at=bindparam("updated_at"),
    )
)
_SET_PASSWORD = Statement(
    update(users).where(users.c.id == bindparam("user_id")).values(password_hash=bindparam("password_hash"))
)
_DELETE = Statement(delete(users).where(users.c.id == bindparam("user_id")))


class PostgresAccounts:
    """The table of users, all of whose columns can change."""

    async def save(self, tx: WriteUnit, user: User) -> None:
        """Keep the account as it now is, as the next version. Raises `EmailTaken` by the constraint's name."""
        await tx.execute(
            _SAVE,
            user_id=user.id,
            name=user.name,
            name_key=sort_key(user.name),
            locale=user.locale.value,
            email=user.email,
            email_key=email_key(user.email),
            email_verified=user.email_verified,
            is_active=user.is_active,
            updated_at=user.updated_at,
        )

    async def set_password(self, tx: WriteUnit, user_id: UUID, *, password_hash: str) -> None:
        await tx.execute(_SET_PASSWORD, user_id=user_id, password_hash=password_hash)

    async def remove(self, tx: WriteUnit, user_id: UUID) -> None:
        """Delete the user, and what belongs to it by reference: sessions, roles, whatever comes later."""
        await tx.execute(_DELETE, user_id=user_id)
