"""What is given to a person of what is stored of them."""

from collections.abc import AsyncIterator
from uuid import UUID

from midrise.foundation.actor import Actor
from midrise.foundation.database import Database
from midrise.foundation.errors import Unauthenticated
from midrise.foundation.paging import PageRequest
from midrise.modules.audit import AuditEvent, AuditEventFilter, AuditTrail
from midrise.modules.identity.exports.model import Record, StoredPerson
from midrise.modules.identity.exports.repository import PostgresExports
from midrise.modules.identity.users.repository import PostgresUsers

_AT_ONCE = 500


class Exports:
    """Reads all that is stored of a person, a page at a time where it can be much."""

    def __init__(
        self,
        *,
        database: Database,
        exports: PostgresExports,
        users: PostgresUsers,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._exports = exports
        self._users = users
        self._audit = audit

    async def get(self, *, actor: Actor) -> StoredPerson:
        """The account, and what is little. Raises `Unauthenticated` where it was deleted a moment ago."""
        async with self._database.read() as unit:
            user = await self._users.find(unit, actor.known_user_id())
            if user is None:
                raise Unauthenticated
            return StoredPerson(user, await self._exports.records(unit, user.id))

    async def sessions(self, user_id: UUID) -> AsyncIterator[Record]:
        """Every session that is not forgotten yet, the oldest first."""
        after, is_last = UUID(int=0), False
        while not is_last:
            async with self._database.read() as unit:
                rows = await self._exports.sessions(unit, user_id, after=after, limit=_AT_ONCE)
            for row in rows:
                yield row
                after = UUID(str(row["id"]))
            is_last = len(rows) < _AT_ONCE

    async def acts(self, user_id: UUID) -> AsyncIterator[AuditEvent]:
        """What the person did, the latest first."""
        async for event in self._events(AuditEventFilter(actor_id=user_id)):
            yield event

    async def acts_of_others(self, user_id: UUID) -> AsyncIterator[AuditEvent]:
        """What others did to the account, the latest first."""
        async for event in self._events(AuditEventFilter(resource=f"user:{user_id}")):
            if event.actor_id != user_id:
                yield event

    async def _events(self, wanted: AuditEventFilter) -> AsyncIterator[AuditEvent]:
        after: tuple[object, ...] | None = None
        while True:
            page = await self._audit.list_events(wanted, PageRequest(_AT_ONCE, after))
            for event in page.rows:
                yield event
            if page.next_after is None:
                return
            after = page.next_after
