"""Sessions in PostgreSQL, whose clock decides whether one has expired."""

from dataclasses import fields
from datetime import datetime
from uuid import UUID

import asyncpg
from sqlalchemy import and_, bindparam, exists, func, select, update

from midrise.foundation.admission import SessionState
from midrise.foundation.database import LateInsert, ReadUnit, Statement, WriteUnit, deletion_of
from midrise.foundation.database.rows import values_of
from midrise.foundation.security.signing_keys import KeyState
from midrise.modules.identity.sessions.model import Session, StoredSession
from midrise.modules.identity.tables import (
    role_permissions,
    second_factors,
    sessions,
    signing_keys,
    user_roles,
    users,
)
from midrise.modules.identity.users.model import Credentials
from midrise.modules.identity.users.repository import HELD_CREDENTIALS

_ALIVE = and_(sessions.c.revoked_at.is_(None), sessions.c.expires_at > func.now())
_INSERT = LateInsert.of_row(sessions)
_HELD = HELD_CREDENTIALS.cte("held")
# A factor is looked at once its user is held, when none comes or goes. Locking it finds its newest state: one
# that was set up is seen to be on, also if it was switched on while this statement waited for the user.
_FACTOR = (
    select(second_factors.c.confirmed_at)
    .where(second_factors.c.user_id == select(_HELD.c.id).scalar_subquery())
    .with_for_update()
    .cte("factor")
)
_MAY_START = Statement(
    select(signing_keys.c.kid).where(
        signing_keys.c.state == KeyState.CURRENT.value,
        exists().select_from(_HELD),
        ~exists().where(_FACTOR.c.confirmed_at.is_not(None)),
    )
)
_LOCK = Statement(
    select(
        sessions,
        and_(_ALIVE, users.c.is_active).label("is_alive"),
        func.extract("epoch", func.now() - sessions.c.rotated_at).label("seconds_since_rotation"),
    )
    .join(users, users.c.id == sessions.c.user_id)
    .where(sessions.c.id == bindparam("session_id"))
    .with_for_update(of=sessions)
)
_ROTATE = Statement(
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"))
    .values(
        generation=bindparam("generation"),
        rotated_at=func.now(),
        expires_at=bindparam("expires_at"),
        address=bindparam("address"),
        user_agent=bindparam("user_agent"),
    )
)
_REVOKE = Statement(
    update(sessions)
    .where(sessions.c.id == bindparam("session_id"), sessions.c.revoked_at.is_(None))
    .values(revoked_at=func.now())
)
_ROLES = func.array(
    select(user_roles.c.role_name)
    .where(user_roles.c.user_id == users.c.id)
    .order_by(user_roles.c.role_name)
    .scalar_subquery()
).label("roles")
_GRANTED = func.array(
    select(role_permissions.c.permission)
    .distinct()
    .join(user_roles, user_roles.c.role_name == role_permissions.c.role_name)
    .where(user_roles.c.user_id == users.c.id)
    .scalar_subquery()
).label("granted")
_CALLER = Statement(
    select(_ROLES, _GRANTED).where(
        users.c.id == bindparam("user_id"),
        users.c.is_active,
        exists().where(sessions.c.id == bindparam("session_id"), sessions.c.user_id == users.c.id, _ALIVE),
        exists().where(signing_keys.c.kid == bindparam("kid"), signing_keys.c.state != KeyState.REVOKED.value),
    )
)
_AGE = Statement(
    select(func.extract("epoch", func.now() - sessions.c.created_at)).where(
        sessions.c.id == bindparam("session_id")
    )
)
_STATE = Statement(
    select(_ROLES, sessions.c.expires_at)
    .join(users, users.c.id == sessions.c.user_id)
    .where(
        sessions.c.id == bindparam("session_id"),
        sessions.c.user_id == bindparam("user_id"),
        users.c.is_active,
        _ALIVE,
    )
)
_PURGE = deletion_of(
    select(sessions.c.id)
    .where(sessions.c.expires_at < bindparam("before"))
    .order_by(sessions.c.expires_at)
    .limit(bindparam("limit"))
)


class PostgresSessions:
    """The table of sessions."""

    def add(self, tx: WriteUnit, session: Session) -> None:
        """Have the session added before the commit."""
        tx.later(_INSERT, **values_of(session))

    async def start(self, tx: WriteUnit, session: Session, *, proved: Credentials) -> str | None:
        """Add the session by the last statement of the unit, with what else waits for that: if the credentials
        are still the user's, and no second factor is on. The id of the key that signs, or None."""
        self.add(tx, session)
        row = await tx.conclude(_MAY_START, user_id=proved.user_id, password_hash=proved.password_hash)
        return row["kid"] if row else None

    async def find_and_lock(self, tx: WriteUnit, session_id: UUID) -> StoredSession | None:
        """The session, which nobody else renews or ends until the transaction ends."""
        row = await tx.row(_LOCK, session_id=session_id)
        return _stored(row) if row else None

    async def rotate(self, tx: WriteUnit, renewed: Session) -> None:
        """Keep a locked session in its next generation."""
        await tx.execute(
            _ROTATE,
            session_id=renewed.id,
            generation=renewed.generation,
            expires_at=renewed.expires_at,
            address=renewed.address,
            user_agent=renewed.user_agent,
        )

    async def revoke(self, tx: WriteUnit, session_id: UUID) -> bool:
        """End the session; False where it had ended."""
        return await tx.execute(_REVOKE, session_id=session_id) == 1

    async def find_grants(
        self, unit: ReadUnit, *, session_id: UUID, user_id: UUID, kid: str
    ) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """The user's roles and what is stored for them; None where session, user or signing key are no more."""
        row = await unit.row(_CALLER, session_id=session_id, user_id=user_id, kid=kid)
        return (tuple(row["roles"]), tuple(row["granted"])) if row else None

    async def find_age_seconds(self, unit: ReadUnit, session_id: UUID) -> float | None:
        """How long ago the user logged in, by the database's clock; None where the session is no more."""
        age = await unit.value(_AGE, session_id=session_id)
        return None if age is None else float(age)

    async def get_state(self, unit: ReadUnit, *, session_id: UUID, user_id: UUID) -> SessionState:
        """Whether the session stands, and its user's roles."""
        row = await unit.row(_STATE, session_id=session_id, user_id=user_id)
        if row is None:
            return SessionState()
        return SessionState(stands=True, expires_at=row["expires_at"].timestamp(), roles=tuple(row["roles"]))

    async def purge(self, tx: WriteUnit, *, expired_before: datetime, limit: int) -> int:
        """Remove so many sessions at most that expired before that time; how many it were."""
        return await tx.execute(_PURGE, before=expired_before, limit=limit)


def _stored(row: asyncpg.Record) -> StoredSession:
    session = Session(**{each.name: row[each.name] for each in fields(Session)})
    return StoredSession(session, row["is_alive"], float(row["seconds_since_rotation"]))
