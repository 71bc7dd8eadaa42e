"""The addresses of users in PostgreSQL."""

from uuid import UUID

from sqlalchemy import bindparam, func, literal, update

from midrise.foundation.database import Statement, WriteUnit
from midrise.modules.identity.tables import users
from midrise.modules.identity.users.model import email_key

_NEXT = {
    "version": users.c.version + literal(1),
    "updated_at": func.now(),
    "email_verified": literal(value=True),
}
_VERIFY = Statement(update(users).where(users.c.id == bindparam("user_id")).values(_NEXT))
_CHANGE = Statement(
    update(users)
    .where(users.c.id == bindparam("user_id"))
    .values({**_NEXT, "email": bindparam("email"), "email_key": bindparam("email_key")})
)


class PostgresEmails:
    """The table of users, by their addresses."""

    async def verify(self, tx: WriteUnit, user_id: UUID) -> None:
        """Keep that the present address is read by its owner, as the next version."""
        await tx.execute(_VERIFY, user_id=user_id)

    async def change(self, tx: WriteUnit, user_id: UUID, *, email: str) -> None:
        """Keep another address, which is verified, as the next version. Raises `EmailTaken`."""
        await tx.execute(_CHANGE, user_id=user_id, email=email, email_key=email_key(email))
