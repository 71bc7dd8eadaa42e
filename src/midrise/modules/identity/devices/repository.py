"""Sessions in PostgreSQL, those of one person together."""

from functools import cache
from uuid import UUID

from sqlalchemy import Uuid, bindparam, func, select, update

from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import fields_of
from midrise.foundation.paging import Page, PageRequest, page_of
from midrise.modules.identity.devices.model import Device
from midrise.modules.identity.tables import sessions

_OWN = (
    sessions.c.user_id == bindparam("user_id"),
    sessions.c.revoked_at.is_(None),
    sessions.c.expires_at > func.now(),
)
_END_ONE = Statement(
    update(sessions).where(sessions.c.id == bindparam("session_id"), *_OWN).values(revoked_at=func.now())
)
_END_OTHERS = Statement(
    update(sessions)
    .where(*_OWN, sessions.c.id.is_distinct_from(bindparam("kept_id", type_=Uuid)))
    .values(revoked_at=func.now())
)


class PostgresDevices:
    """The table of sessions, by their owner."""

    async def list_devices(self, unit: ReadUnit, user_id: UUID, page: PageRequest) -> Page[Device]:
        """Where the person is logged in, the latest log-in first."""
        values = {"after": page.after[0]} if page.after else {}
        rows = await unit.rows(_list(behind=bool(page.after)), **values, user_id=user_id, limit=page.limit + 1)
        devices = [Device(**fields_of(Device, row)) for row in rows]
        return page_of(devices, page, lambda device: (device.id,))

    async def end_one(self, tx: WriteUnit, user_id: UUID, *, session_id: UUID) -> bool:
        """End the person's session; False where it had ended, never was, or is another's."""
        return await tx.execute(_END_ONE, user_id=user_id, session_id=session_id) == 1

    async def end_others(self, tx: WriteUnit, user_id: UUID, *, kept_id: UUID | None) -> int:
        """End the person's sessions but the one to be kept, if any; how many ended."""
        return await tx.execute(_END_OTHERS, user_id=user_id, kept_id=kept_id)


@cache
def _list(*, behind: bool) -> Statement:
    # Ids are made in the order of time, and the index goes by user and id.
    statement = select(
        sessions.c.id,
        sessions.c.user_agent,
        sessions.c.address,
        sessions.c.created_at,
        sessions.c.rotated_at.label("last_used_at"),
        sessions.c.expires_at,
    ).where(*_OWN)
    if behind:
        statement = statement.where(sessions.c.id < bindparam("after"))
    return Statement(statement.order_by(sessions.c.id.desc()).limit(bindparam("limit")))
