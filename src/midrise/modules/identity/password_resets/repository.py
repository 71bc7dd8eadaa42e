"""Passwords that are set anew in PostgreSQL."""

from uuid import UUID

from sqlalchemy import bindparam, func, literal, update

from midrise.foundation.database import Statement, WriteUnit
from midrise.modules.identity.tables import users

_SET = Statement(
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values(
        password_hash=bindparam("password_hash"),
        email_verified=literal(value=True),
        version=users.c.version + literal(1),
        updated_at=func.now(),
    )
)


class PostgresPasswordResets:
    """The table of users, by their passwords."""

    async def set_password(self, tx: WriteUnit, user_id: UUID, *, password_hash: str) -> None:
        """Keep another password. Who could set it reads the mail of the address, which is verified by that."""
        await tx.execute(_SET, user_id=user_id, password_hash=password_hash)
