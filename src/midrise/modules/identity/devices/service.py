"""What a person can do with the sessions that are theirs."""

from uuid import UUID

from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import NotFound
from midrise.foundation.paging import Page, PageRequest
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.devices.model import Device, DeviceAction
from midrise.modules.identity.devices.repository import PostgresDevices
from midrise.modules.identity.sessions.model import SessionAction
from midrise.modules.identity.users.model import user_generation


class Devices:
    """Shows where a person is logged in, and logs them out there."""

    def __init__(self, *, database: Database, devices: PostgresDevices, audit: AuditTrail) -> None:
        self._database = database
        self._devices = devices
        self._audit = audit

    async def list_devices(self, page: PageRequest, *, actor: Actor) -> Page[Device]:
        """Where the caller is logged in, the latest log-in first."""
        async with self._database.read() as unit:
            return await self._devices.list_devices(unit, actor.known_user_id(), page)

    async def end(self, session_id: UUID, *, actor: Actor) -> None:
        """End one session of the caller's, at once and on every instance. Raises `NotFound`."""
        user_id = actor.known_user_id()

        async def end(tx: WriteUnit) -> None:
            if not await self._devices.end_one(tx, user_id, session_id=session_id):
                raise NotFound("session")
            tx.mark(user_generation(user_id))
            await self._audit.record(tx, actor, action=SessionAction.ENDED, resource=f"session:{session_id}")

        await self._database.write_once(actor.attempt, type(None), end)

    async def end_all(self, *, actor: Actor) -> None:
        """End every session of the caller's, the one that asks among them."""
        user_id = actor.known_user_id()

        async def end_all(tx: WriteUnit) -> None:
            ended = await self.end_sessions_of(tx, user_id)
            await self._audit.record(
                tx,
                actor,
                action=DeviceAction.ALL_ENDED,
                resource=f"user:{user_id}",
                changes={"sessions": ended},
            )

        await self._database.write_once(actor.attempt, type(None), end_all)

    async def end_sessions_of(self, tx: WriteUnit, user_id: UUID, *, kept_id: UUID | None = None) -> int:
        """End a person's sessions, but for the one to be kept, when ``tx`` commits; how many.

        A log-in on its way either waits for the caller's change of the account, or has its session ended here:
        call it behind that change.
        """
        tx.mark(user_generation(user_id))
        return await self._devices.end_others(tx, user_id, kept_id=kept_id)
