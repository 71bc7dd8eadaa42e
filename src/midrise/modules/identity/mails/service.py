"""Sends the mails that people get about their accounts: what the worker does."""

import structlog

from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.jobs import PgQueuerJobs
from midrise.foundation.mail import Mailer
from midrise.modules.identity.email_tokens.model import EmailPurpose
from midrise.modules.identity.email_tokens.service import EmailTokens
from midrise.modules.identity.mails.model import Notice, NoticeOwed, TokenMailOwed, notice_mail, token_mail
from midrise.modules.identity.users.model import User
from midrise.modules.identity.users.repository import PostgresUsers

log = structlog.get_logger()


class Mails:
    """Asks for mails in the transaction of a change, and sends them."""

    def __init__(
        self,
        *,
        database: Database,
        tokens: EmailTokens,
        users: PostgresUsers,
        jobs: PgQueuerJobs,
        mailer: Mailer,
        public_url: str,
    ) -> None:
        self._database = database
        self._tokens = tokens
        self._users = users
        self._jobs = jobs
        self._mailer = mailer
        self._public_url = public_url

    async def request_token(
        self, tx: WriteUnit, user: User, *, purpose: EmailPurpose, email: str | None = None
    ) -> bool:
        """Have a token mailed, to the account's own address unless another is given; False for too many.

        Tokens of that purpose that were mailed before are good for nothing from then on. Call it with the user
        locked.
        """
        token = await self._tokens.request(tx, user.id, purpose=purpose, email=email or user.email)
        if token is None:
            return False
        await self._jobs.enqueue(tx, TokenMailOwed(token.id))
        return True

    async def request_notice(self, tx: WriteUnit, user: User, notice: Notice) -> None:
        """Have the account's owner told something at the address that the account has now."""
        await self._jobs.enqueue(tx, NoticeOwed(user.email, user.locale, notice))

    async def mail_token(self, job: TokenMailOwed) -> None:
        """Make the token's secret and mail it. Raises what the mailer raises."""
        async with self._database.write() as tx:
            token = await self._tokens.find_requested(tx, job.token_id)
            user = await self._users.find_and_lock(tx, token.user_id) if token else None
            if token is None or user is None or not user.is_active:
                log.info("mail.not_needed", token_id=str(job.token_id))
                return
            secret = await self._tokens.issue(tx, token)
        if secret is None:
            log.info("mail.not_needed", token_id=str(job.token_id))
            return
        mail = token_mail(
            token.purpose, email=token.email, locale=user.locale, secret=secret, public_url=self._public_url
        )
        await self._mailer.send(mail)

    async def mail_notice(self, job: NoticeOwed) -> None:
        """Raises what the mailer raises."""
        await self._mailer.send(notice_mail(job.notice, email=job.email, locale=job.locale))
