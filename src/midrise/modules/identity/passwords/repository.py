"""Passwords in PostgreSQL: never themselves, only what they are verified by."""

from sqlalchemy import bindparam, update

from midrise.foundation.database import Statement, WriteUnit
from midrise.modules.identity.tables import users
from midrise.modules.identity.users.model import Credentials

_REPLACE = Statement(
    update(users)
    .where(
        users.c.id == bindparam("user_id"),
        users.c.password_hash == bindparam("proved_hash"),
        users.c.is_active,
    )
    .values(password_hash=bindparam("new_hash"))
)


class PostgresPasswords:
    """The table of users, by their passwords."""

    async def replace(self, tx: WriteUnit, proved: Credentials, *, new_hash: str) -> bool:
        """Keep another password; False where the one that was proved is the user's no longer."""
        changed = await tx.execute(
            _REPLACE, user_id=proved.user_id, proved_hash=proved.password_hash, new_hash=new_hash
        )
        return changed == 1
