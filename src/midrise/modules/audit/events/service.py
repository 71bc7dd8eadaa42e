"""The audit: what other modules write into it, and how it is read."""

from enum import StrEnum
from uuid import UUID

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.ids import new_id
from midrise.foundation.paging import Page, PageRequest
from midrise.modules.audit.events.model import AuditEvent, AuditEventFilter, Changes
from midrise.modules.audit.events.repository import PostgresAuditEvents


class AuditTrail:
    """Keeps who did what. An entry is written in the transaction of its change: both are there, or neither."""

    def __init__(self, database: Database, events: PostgresAuditEvents) -> None:
        self._database = database
        self._events = events

    async def record(
        self, tx: WriteUnit, actor: Actor, *, action: StrEnum, resource: str, changes: Changes | None = None
    ) -> None:
        """Write an entry. ``changes`` must hold no secret."""
        event = AuditEvent(
            id=new_id(),
            created_at=clock.now(),
            actor_id=actor.user_id,
            action=action.value,
            resource=resource,
            address=actor.address,
            request_id=actor.request_id,
            changes=changes or {},
            api_key_id=actor.api_key_id,
        )
        self._events.add(tx, event)

    async def erase_person(self, tx: WriteUnit, user_id: UUID, *, resource: str) -> None:
        """Have the entries say no more of a person than the id: not from where they acted, nor what their name
        and address were. ``resource`` is the person's own name in the audit."""
        await self._events.erase_person(tx, user_id, resource=resource)

    async def list_events(self, wanted: AuditEventFilter, page: PageRequest) -> Page[AuditEvent]:
        """Entries, newest first."""
        async with self._database.read(may_lag=True) as unit:
            return await self._events.list_events(unit, wanted, page)
