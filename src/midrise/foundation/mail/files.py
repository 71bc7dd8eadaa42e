"""Mails as files, where no mail server is set: for a machine on which Midrise is tried out."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import parsedate_to_datetime
from pathlib import Path

import structlog

from midrise.foundation.ids import new_id
from midrise.foundation.mail.mail import Mail
from midrise.foundation.mail.message import message_of

_MOST_KEPT = 1000

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail that lies in the folder; its name is that of the file without its end."""

    name: str
    sent_at: datetime
    recipient: str
    subject: str
    text: str = field(repr=False)


class FileMailer:
    """Keeps the last thousand mails in a folder that nobody else may read; none of them is sent."""

    def __init__(self, folder: Path, *, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        """Raises `MailRefused` for a recipient that is no address, and `OSError`."""
        message = message_of(mail, sender=self._sender)
        await asyncio.to_thread(self._keep, message)
        log.info("mail.kept")

    def list_mails(self) -> list[KeptMail]:
        """What lies there, the newest first. Raises `OSError`."""
        return [_read(path) for path in self._paths()]

    def find(self, name: str) -> KeptMail | None:
        """The mail of that name; ``last`` is the newest one. Raises `OSError`."""
        return next((_read(path) for path in self._paths() if name in {path.stem, "last"}), None)

    def _keep(self, message: EmailMessage) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{new_id()}.eml"
        unfinished = path.with_suffix(".unfinished")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(message.as_bytes(policy=SMTPUTF8))
        unfinished.rename(path)
        for old in list(self._paths())[_MOST_KEPT:]:
            old.unlink(missing_ok=True)

    def _paths(self) -> Iterator[Path]:
        # Names are UUIDs of version 7: they sort by time.
        return iter(sorted(self._folder.glob("*.eml"), reverse=True))


def _read(path: Path) -> KeptMail:
    message = message_from_bytes(path.read_bytes(), policy=SMTPUTF8)
    return KeptMail(
        name=path.stem,
        sent_at=parsedate_to_datetime(message["Date"]),
        recipient=str(message["To"]),
        subject=str(message["Subject"]),
        text=message.get_content().replace("\r\n", "\n"),
    )
