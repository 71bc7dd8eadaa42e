"""A worker that does what changes ask for, and the mails that it keeps."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from tests.foundation.waiting import until

from midrise.app import assemble
from midrise.foundation.database import PoolSettings
from midrise.foundation.jobs.worker import PgQueuerWorker
from midrise.foundation.mail import FileMailer, KeptMail
from midrise.settings import Settings

TOKEN = re.compile(r"#token=([\w-]+)")


class Mailbox:
    """The mails of everybody."""

    def __init__(self, mailer: FileMailer, connection: asyncpg.Connection) -> None:
        self._mailer = mailer
        self._connection = connection

    async def mails_to(self, email: str) -> list[KeptMail]:
        """Those of one person, the newest first, once every job is done."""
        await self.delivered()
        return [mail for mail in self._mailer.list_mails() if mail.recipient == email]

    async def subjects_to(self, email: str) -> list[str]:
        return [mail.subject for mail in await self.mails_to(email)]

    async def token_to(self, email: str, *, subject: str = "") -> str:
        """The token in the newest mail that has one, of a subject if that matters."""
        mails = [mail for mail in await self.mails_to(email) if subject in mail.subject]
        tokens = [TOKEN.findall(mail.text) for mail in mails]
        return next(found[0] for found in tokens if found)

    async def delivered(self) -> None:
        """Wait until every job is done."""

        async def is_empty() -> bool:
            return await self._connection.fetchval("SELECT count(*) FROM pgqueuer") == 0

        await until(is_empty)


@asynccontextmanager
async def open_mailbox(settings: Settings, connection: asyncpg.Connection) -> AsyncIterator[Mailbox]:
    """Runs a worker on the database of the settings; mails are kept in their folder."""
    assembly = assemble(settings, process="tests worker")
    handlers = [handler for part in assembly.built for handler in part.handlers]
    url = settings.database.url.get_secret_value()
    worker = PgQueuerWorker(PoolSettings(url, "midrise tests jobs"), [], handlers=handlers)
    stopping = asyncio.Event()
    running = asyncio.create_task(worker.run(stopping))
    try:
        yield Mailbox(FileMailer(settings.mail_folder, sender=settings.mail.sender), connection)
    finally:
        stopping.set()
        await running
        await assembly.close()
