"""What can be done with addresses."""

from uuid import UUID

from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import Invalid, NotFound
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.credentials.model import WrongPassword
from midrise.modules.identity.credentials.service import StepUp
from midrise.modules.identity.email_tokens.model import (
    EmailPurpose,
    EmailToken,
    InvalidEmailToken,
    TooManyMails,
)
from midrise.modules.identity.email_tokens.service import EmailTokens
from midrise.modules.identity.emails.model import EmailAction, NewAddress, new_address_faults
from midrise.modules.identity.emails.repository import PostgresEmails
from midrise.modules.identity.mails.model import Notice
from midrise.modules.identity.mails.service import Mails
from midrise.modules.identity.users.model import Credentials, EmailTaken, User, email_key, user_generation
from midrise.modules.identity.users.repository import PostgresUsers

_PURPOSES = (EmailPurpose.VERIFICATION, EmailPurpose.CHANGE)


class Emails:
    """Verifies addresses, and changes them once the new one is verified."""

    def __init__(
        self,
        *,
        database: Database,
        emails: PostgresEmails,
        users: PostgresUsers,
        tokens: EmailTokens,
        mails: Mails,
        step_up: StepUp,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._emails = emails
        self._users = users
        self._tokens = tokens
        self._mails = mails
        self._step_up = step_up
        self._audit = audit

    async def verify(self, secret: str, *, actor: Actor) -> None:
        """Take the proof that the address of a mail is read by its owner: of the account's own, or of the one
        that it shall have, which it has from then on.

        Raises `InvalidEmailToken`, and `EmailTaken` where another account has the address by now.
        """

        async def verify(tx: WriteUnit) -> bool:
            token = await self._tokens.get(tx, secret, *_PURPOSES)
            user = await self._users.find_and_lock(tx, token.user_id)
            if user is None or not user.is_active:
                raise InvalidEmailToken
            await self._tokens.spend(tx, secret, *_PURPOSES)
            tx.mark(user_generation(user.id))
            await self._take_proof(tx, user, token, actor=actor)
            return True

        await self._database.write_once(actor.attempt, bool, verify)

    async def resend(self, *, actor: Actor) -> None:
        """Mail the caller another token; nothing where the address is verified. Raises `TooManyMails`."""

        async def resend(tx: WriteUnit) -> bool:
            user = await self._users.find_and_lock(tx, actor.known_user_id())
            if user is None:
                raise NotFound("user")
            if user.email_verified:
                return False
            if not await self._mails.request_token(tx, user, purpose=EmailPurpose.VERIFICATION):
                raise TooManyMails
            return True

        await self._database.write_once(actor.attempt, bool, resend)

    async def request_verification(self, tx: WriteUnit, user: User) -> None:
        """Have the address of a new or changed account verified. Where there were too many mails lately there
        is none: the person asks again."""
        await self._mails.request_token(tx, user, purpose=EmailPurpose.VERIFICATION)

    async def prove(self, wanted: NewAddress, *, actor: Actor) -> Credentials:
        """That it is the caller who wants another address; call it before the transaction of `request_change`.

        Raises `Invalid`, and what `StepUp.require` raises.
        """
        faults = new_address_faults(wanted.email, has_password=wanted.password is not None)
        if faults:
            raise Invalid(faults)
        return await self._step_up.require(actor, password=wanted.password or "", otp=wanted.otp)

    async def request_change(
        self, tx: WriteUnit, user: User, *, wanted: NewAddress, proved: Credentials, actor: Actor
    ) -> None:
        """Have the new address verified, and tell the present one. Call it with the user locked.

        Raises `WrongPassword` where it changed since it was proved, `EmailTaken` and `TooManyMails`.
        """
        if not await self._users.hold_credentials(tx, proved):
            raise WrongPassword("/password")
        if wanted.email == user.email:
            return
        other = await self._users.find_credentials(tx, wanted.email)
        if other is not None and other.user_id != user.id:
            raise EmailTaken
        if not await self._mails.request_token(tx, user, purpose=EmailPurpose.CHANGE, email=wanted.email):
            raise TooManyMails
        await self._mails.request_notice(tx, user, Notice.CHANGE_ASKED)
        await self._audit.record(tx, actor, action=EmailAction.REQUESTED, resource=user.resource)

    async def follow_change(self, tx: WriteUnit, before: User, after: User) -> None:
        """What an address brings with it that somebody else has set: mailed tokens are void, the new address
        is to be verified, the old one is told. Call it with the user locked, behind the change."""
        await self._tokens.take_back(tx, before.id)
        await self._mails.request_notice(tx, before, Notice.EMAIL_CHANGED)
        await self.request_verification(tx, after)

    async def take_back_tokens(self, tx: WriteUnit, user_id: UUID) -> None:
        """Have no token be good for anything that was mailed or is going to be: the password was changed."""
        await self._tokens.take_back(tx, user_id)

    async def _take_proof(self, tx: WriteUnit, user: User, token: EmailToken, *, actor: Actor) -> None:
        action = EmailAction.VERIFIED
        if token.purpose is EmailPurpose.CHANGE:
            action = EmailAction.CHANGED
            await self._emails.change(tx, user.id, email=token.email)
            # A token to reset the password may lie in the old mailbox.
            await self._tokens.take_back(tx, user.id)
            await self._mails.request_notice(tx, user, Notice.EMAIL_CHANGED)
        elif email_key(token.email) == email_key(user.email):
            await self._emails.verify(tx, user.id)
        else:
            raise InvalidEmailToken
        owner = actor.as_user(user.id)
        await self._audit.record(tx, owner, action=action, resource=user.resource)
