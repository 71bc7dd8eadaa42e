"""What can be done about a forgotten password."""

import structlog

from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import Invalid
from midrise.foundation.jobs import PgQueuerJobs
from midrise.foundation.security.password_strength import check_strength
from midrise.foundation.security.passwords import BcryptPasswords
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.api_keys.service import ApiKeys
from midrise.modules.identity.devices.service import Devices
from midrise.modules.identity.email_tokens.model import EmailPurpose, InvalidEmailToken
from midrise.modules.identity.email_tokens.service import EmailTokens
from midrise.modules.identity.log_in_attempts.service import LogInAttempts
from midrise.modules.identity.mails.model import Notice
from midrise.modules.identity.mails.service import Mails
from midrise.modules.identity.password_resets.model import PasswordForgotten, PasswordResetAction
from midrise.modules.identity.password_resets.repository import PostgresPasswordResets
from midrise.modules.identity.users.model import User, email_key
from midrise.modules.identity.users.repository import PostgresUsers

log = structlog.get_logger()


class PasswordResets:
    """Mails a token to who has forgotten the password, and takes a new password for it."""

    def __init__(
        self,
        *,
        database: Database,
        resets: PostgresPasswordResets,
        users: PostgresUsers,
        passwords: BcryptPasswords,
        tokens: EmailTokens,
        mails: Mails,
        jobs: PgQueuerJobs,
        devices: Devices,
        api_keys: ApiKeys,
        attempts: LogInAttempts,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._resets = resets
        self._users = users
        self._passwords = passwords
        self._tokens = tokens
        self._mails = mails
        self._jobs = jobs
        self._devices = devices
        self._api_keys = api_keys
        self._attempts = attempts
        self._audit = audit

    async def request(self, email: str, *, actor: Actor) -> None:
        """Have a token mailed if there is such an account. Nothing here depends on whether there is one."""

        async def request(tx: WriteUnit) -> bool:
            await self._jobs.enqueue(tx, PasswordForgotten(email))
            return True

        await self._database.write_once(actor.attempt, bool, request)

    async def find_who_forgot(self, job: PasswordForgotten) -> None:
        """Ask for the mail, to the address as the account has it; nothing for nobody, and for the disabled."""
        async with self._database.write() as tx:
            credentials = await self._users.find_credentials(tx, job.email)
            user = await self._users.find_and_lock(tx, credentials.user_id) if credentials else None
            if user is None or not user.is_active:
                return
            if not await self._mails.request_token(tx, user, purpose=EmailPurpose.RESET):
                log.info("mail.too_many", user_id=str(user.id))

    async def reset(self, secret: str, new_password: str, *, actor: Actor) -> None:
        """Take a new password for a token: every session and API key ends, other tokens are void, guesses are
        forgotten.

        A second factor stays. Raises `InvalidEmailToken` and `Invalid`.
        """
        password_hash = await self._hash_for(secret, new_password)

        async def reset(tx: WriteUnit) -> bool:
            if password_hash is None:
                raise InvalidEmailToken
            await self._set_password(tx, secret, password_hash, actor=actor)
            return True

        await self._database.write_once(actor.attempt, bool, reset)

    async def _hash_for(self, secret: str, new_password: str) -> str | None:
        """The digest of the password; None where the token is not valid. Raises `Invalid`."""
        async with self._database.read() as unit:
            try:
                token = await self._tokens.get(unit, secret, EmailPurpose.RESET)
            except InvalidEmailToken:
                return None
            user = await self._users.find(unit, token.user_id)
        if user is None:
            return None
        faults = check_strength(new_password, email=user.email, name=user.name, pointer="/new_password")
        if faults:
            raise Invalid(faults)
        return await self._passwords.hash(new_password)

    async def _set_password(self, tx: WriteUnit, secret: str, password_hash: str, *, actor: Actor) -> None:
        user = await self._lock_owner(tx, secret)
        await self._tokens.spend(tx, secret, EmailPurpose.RESET)
        await self._resets.set_password(tx, user.id, password_hash=password_hash)
        # Among them the token of a change of address, which whoever knew the old password may have asked for.
        await self._tokens.take_back(tx, user.id)
        await self._devices.end_sessions_of(tx, user.id)
        await self._attempts.forget(tx, email=user.email, user_id=user.id)
        await self._mails.request_notice(tx, user, Notice.PASSWORD_RESET)
        owner = actor.as_user(user.id)
        # Whoever had the account may have made one, to come back with.
        await self._api_keys.end_keys_of(tx, user.id, actor=owner)
        await self._audit.record(tx, owner, action=PasswordResetAction.RESET, resource=user.resource)

    async def _lock_owner(self, tx: WriteUnit, secret: str) -> User:
        token = await self._tokens.get(tx, secret, EmailPurpose.RESET)
        user = await self._users.find_and_lock(tx, token.user_id)
        if user is None or not user.is_active or email_key(user.email) != email_key(token.email):
            raise InvalidEmailToken
        return user
