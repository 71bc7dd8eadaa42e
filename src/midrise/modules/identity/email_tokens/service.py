"""Makes mailed tokens, and takes them back."""

from datetime import timedelta
from uuid import UUID

from midrise.foundation import clock
from midrise.foundation.database import Database, ReadUnit, WriteUnit
from midrise.foundation.ids import new_id
from midrise.modules.identity.email_tokens.model import (
    LIFETIMES,
    MOST_A_DAY,
    MOST_AN_HOUR,
    EmailPurpose,
    EmailToken,
    InvalidEmailToken,
    digest_of,
    make_secret,
)
from midrise.modules.identity.email_tokens.repository import PostgresEmailTokens

_COUNTED_FOR = timedelta(days=1)
_PURGED_AT_ONCE = 5000


class EmailTokens:
    """Every verb but one takes the caller's transaction: a token is never all that changes."""

    def __init__(self, *, database: Database, tokens: PostgresEmailTokens) -> None:
        self._database = database
        self._tokens = tokens

    async def request(
        self, tx: WriteUnit, user_id: UUID, *, purpose: EmailPurpose, email: str
    ) -> EmailToken | None:
        """Ask for a token in place of earlier ones; None where there were too many lately.

        It has no secret before `issue`: what was asked for can be taken back before any mail is made. Call it
        with the user locked.
        """
        last_hour, last_day = await self._tokens.count_recent(tx, user_id, email=email, purpose=purpose)
        if last_hour >= MOST_AN_HOUR or last_day >= MOST_A_DAY:
            return None
        await self._tokens.void(tx, user_id, [purpose])
        now = clock.now()
        token = EmailToken(
            id=new_id(),
            user_id=user_id,
            purpose=purpose,
            email=email,
            created_at=now,
            expires_at=now + LIFETIMES[purpose],
        )
        await self._tokens.add(tx, token)
        return token

    async def find_requested(self, unit: ReadUnit, token_id: UUID) -> EmailToken | None:
        """What was asked for, whatever became of it."""
        return await self._tokens.find_by_id(unit, token_id)

    async def issue(self, tx: WriteUnit, token: EmailToken) -> str | None:
        """Make the secret that goes into the mail; None where the token was spent or taken back.

        Whoever mails again makes another one, and the one before is good for nothing.
        """
        secret = make_secret()
        lifetime = LIFETIMES[token.purpose]
        is_good = await self._tokens.issue(tx, token, digest=digest_of(secret), lifetime=lifetime)
        return secret if is_good else None

    async def get(self, unit: ReadUnit, secret: str, *purposes: EmailPurpose) -> EmailToken:
        """The token behind a secret. Raises `InvalidEmailToken`."""
        token = await self._tokens.find(unit, digest_of(secret), purposes)
        if token is None:
            raise InvalidEmailToken
        return token

    async def spend(self, tx: WriteUnit, secret: str, *purposes: EmailPurpose) -> None:
        """Use a token up. Of several at once, one succeeds. Raises `InvalidEmailToken`.

        Call it with the user locked, as all do that touch tokens: else two could wait for each other.
        """
        if not await self._tokens.spend(tx, digest_of(secret), purposes):
            raise InvalidEmailToken

    async def take_back(self, tx: WriteUnit, user_id: UUID) -> None:
        """Have nothing be good for taking the account over that was mailed or is going to be: the password or
        the address has changed. Call it with the user locked."""
        await self._tokens.void(tx, user_id, [EmailPurpose.CHANGE, EmailPurpose.RESET])

    async def purge_expired(self) -> None:
        """Forget tokens once they don't count for the limits any more; in small transactions."""
        before, purged = clock.now() - _COUNTED_FOR, _PURGED_AT_ONCE
        while purged == _PURGED_AT_ONCE:
            async with self._database.write() as tx:
                purged = await self._tokens.purge(tx, expired_before=before, limit=_PURGED_AT_ONCE)
