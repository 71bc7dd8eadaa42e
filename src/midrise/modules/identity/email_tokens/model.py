"""A mailed token: what it is good for, for how long, and how many may be asked for."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from midrise.foundation.errors import AppError, Fault, FaultCode, Invalid, TooMany

MOST_AN_HOUR = 5
MOST_A_DAY = 20
"""Mails of one purpose to one address, or asked for by one account."""

_TOKEN_BYTES = 32
TOKEN_CHARACTERS = (_TOKEN_BYTES * 4 + 2) // 3
"""How long every token is."""


class EmailPurpose(StrEnum):
    """What a token is good for, and nothing else."""

    VERIFICATION = "verification"
    """The account's own address is read by its owner."""
    CHANGE = "change"
    """The address that the account shall have is."""
    RESET = "reset"
    """Whoever reads it may choose a new password."""


LIFETIMES = {
    EmailPurpose.VERIFICATION: timedelta(days=3),
    EmailPurpose.CHANGE: timedelta(days=1),
    EmailPurpose.RESET: timedelta(minutes=30),
}
"""Counted from the moment that the mail is made."""


class InvalidEmailToken(Invalid):
    """The token of a mail is wrong, was used, has expired, or a newer mail took its place: ask for another
    one."""

    code = "invalid_email_token"
    title = "The token is not valid"
    detail = "The token is wrong, was used, or has expired"
    detail_of_one = ""

    def __init__(self) -> None:
        AppError.__init__(self, faults=[Fault(FaultCode.WRONG_TOKEN, pointer="/token")])


class TooManyMails(TooMany):
    """The address or the account had so many mails of that kind lately that there is none for now."""

    code = "too_many_mails"
    title = "Too many mails"

    def __init__(self) -> None:
        super().__init__(int(timedelta(hours=1).total_seconds()))


@dataclass(frozen=True, slots=True)
class EmailToken:
    """A token that was asked for. Its secret is made with its mail; only a digest of that is stored."""

    id: UUID
    user_id: UUID
    purpose: EmailPurpose
    email: str
    created_at: datetime
    expires_at: datetime


def make_secret() -> str:
    """A token as it stands in a mail."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def digest_of(secret: str) -> bytes:
    """What is stored. It is as long as guessing takes for ever, so a fast digest will do."""
    return hashlib.sha256(secret.encode()).digest()
