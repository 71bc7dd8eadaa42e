"""A mail, and what a mailer is."""

from dataclasses import dataclass, field
from typing import Protocol

from midrise.foundation.jobs import Hopeless


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to one person, in plain text. The text may hold a secret: it is neither logged nor shown."""

    recipient: str
    subject: str
    text: str = field(repr=False)


class MailRefused(Hopeless):
    """This mail will never be accepted: its address is none, or its server doesn't know it."""


class Mailer(Protocol):
    """Sends mails, or keeps them."""

    async def send(self, mail: Mail) -> None:
        """Raises `MailRefused` where trying again would not help, and anything else where it might."""
