"""What people can do with their passwords."""

from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import Invalid
from midrise.foundation.security.password_strength import check_strength
from midrise.foundation.security.passwords import BcryptPasswords
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.credentials.model import WrongPassword
from midrise.modules.identity.credentials.service import StepUp
from midrise.modules.identity.devices.service import Devices
from midrise.modules.identity.email_tokens.service import EmailTokens
from midrise.modules.identity.passwords.model import PasswordAction
from midrise.modules.identity.passwords.repository import PostgresPasswords
from midrise.modules.identity.users.service import Users

_CURRENT, _NEW = "/current_password", "/new_password"


class Passwords:
    """Changes the password of who knows the present one."""

    def __init__(
        self,
        *,
        database: Database,
        passwords: PostgresPasswords,
        users: Users,
        devices: Devices,
        hashing: BcryptPasswords,
        tokens: EmailTokens,
        step_up: StepUp,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._passwords = passwords
        self._users = users
        self._devices = devices
        self._hashing = hashing
        self._tokens = tokens
        self._step_up = step_up
        self._audit = audit

    async def change(self, current_password: str, new_password: str, *, otp: str | None, actor: Actor) -> None:
        """Put another password in place of the present one; every session ends but the one that asks.

        Raises `Invalid` for a new password that is too weak, and what `StepUp.require` raises: the present one
        counts as a guess.
        """
        # A client that missed the answer asks again, and its present password is the new one by now.
        if await self._database.was_done(actor.attempt, type(None)):
            return
        user = await self._users.get_own(actor=actor)
        faults = check_strength(new_password, email=user.email, name=user.name, pointer=_NEW)
        if faults:
            raise Invalid(faults)
        proved = await self._step_up.require(actor, password=current_password, otp=otp, pointer=_CURRENT)
        new_hash = await self._hashing.hash(new_password)

        async def change(tx: WriteUnit) -> None:
            if not await self._passwords.replace(tx, proved, new_hash=new_hash):
                raise WrongPassword(_CURRENT)
            # Whoever knew the old one may have asked for another address.
            await self._tokens.take_back(tx, user.id)
            await self._devices.end_sessions_of(tx, user.id, kept_id=actor.session_id)
            await self._audit.record(tx, actor, action=PasswordAction.CHANGED, resource=user.resource)

        await self._database.write_once(actor.attempt, type(None), change)
