"""What has to do with mails, put together: verified and changed addresses, and forgotten passwords."""

from dataclasses import dataclass

from midrise.foundation.jobs import AnyHandler, Job, JobHandler
from midrise.foundation.module import House
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.api_keys.service import ApiKeys
from midrise.modules.identity.devices.service import Devices
from midrise.modules.identity.email_tokens.repository import PostgresEmailTokens
from midrise.modules.identity.email_tokens.service import EmailTokens
from midrise.modules.identity.emails.repository import PostgresEmails
from midrise.modules.identity.emails.service import Emails
from midrise.modules.identity.mails.model import NoticeOwed, TokenMailOwed
from midrise.modules.identity.mails.service import Mails
from midrise.modules.identity.password_resets.model import PasswordForgotten
from midrise.modules.identity.password_resets.repository import PostgresPasswordResets
from midrise.modules.identity.password_resets.service import PasswordResets
from midrise.modules.identity.proofs import Proofs
from midrise.modules.identity.users.repository import PostgresUsers


@dataclass(frozen=True, slots=True)
class Mailing:
    """The services behind every mail, and what the worker does for them."""

    tokens: EmailTokens
    emails: Emails
    password_resets: PasswordResets
    handlers: tuple[AnyHandler, ...]
    jobs: tuple[Job, ...]


def build_mailing(
    house: House, *, users: PostgresUsers, devices: Devices, proofs: Proofs, api_keys: ApiKeys
) -> Mailing:
    audit = house.services.get(AuditTrail)
    tokens = EmailTokens(database=house.database, tokens=PostgresEmailTokens())
    mails = Mails(
        database=house.database,
        tokens=tokens,
        users=users,
        jobs=house.jobs,
        mailer=house.mailer,
        public_url=house.public_url,
    )
    emails = Emails(
        database=house.database,
        emails=PostgresEmails(),
        users=users,
        tokens=tokens,
        mails=mails,
        step_up=proofs.step_up,
        audit=audit,
    )
    password_resets = PasswordResets(
        database=house.database,
        resets=PostgresPasswordResets(),
        users=users,
        passwords=house.passwords,
        tokens=tokens,
        mails=mails,
        jobs=house.jobs,
        devices=devices,
        api_keys=api_keys,
        attempts=proofs.attempts,
        audit=audit,
    )
    handlers = (
        JobHandler(TokenMailOwed, mails.mail_token),
        JobHandler(NoticeOwed, mails.mail_notice),
        JobHandler(PasswordForgotten, password_resets.find_who_forgot),
    )
    purge = Job("email_tokens.purge_expired", schedule="47 * * * *", run=tokens.purge_expired)
    return Mailing(tokens, emails, password_resets, handlers, (purge,))
