"""The embedded PostgreSQL: one primary and replicas that stream from it, on Unix sockets only.

    primary = PostgresPrimary(folder, sockets=sockets)              # name "postgres.primary", port 5432
    replica = PostgresReplica(1, folder2, primary=primary)          # name "postgres.replica.1", port 5433
    with running(primary, replica, logs=logs):                      # background.py
        primary.url                                                 # postgresql://midrise@/midrise?host=…

The cluster has two roles, both without a password, because only who can enter the private folder of the sockets
can connect: ``postgres``, the superuser, for operators and tests, and ``midrise``, which owns the database
``midrise`` and has no other power (but to read statistics). Nothing listens on TCP.
"""

import asyncio
import contextlib
import shutil
from pathlib import Path

from midrise.topology.cluster import PostgresCluster
from midrise.topology.component import DisposableComponent
from midrise.topology.errors import CannotStart
from midrise.topology.privileges import Account

PRIMARY_PORT = 5432
BUILTIN_LOCALES_SINCE = 17
FIRST_SQL = """\
CREATE ROLE midrise LOGIN;
GRANT pg_monitor TO midrise;
CREATE DATABASE midrise OWNER midrise;
"""
HOPELESS = (
    "has already been removed",
    "is behind recovery timeline",
    "is not a child of this server's history",
    "is ahead of the WAL flush position",
    "is not in this server's history",
    "database system identifier differs",
    "recovery aborted because of insufficient parameter settings",
    "could not locate a valid checkpoint record",
)
"""What a replica prints when no waiting will ever let it follow the primary again."""


class PostgresPrimary(PostgresCluster):
    """The server that writes; the one that has the truth."""

    def __init__(
        self, folder: Path, *, sockets: Path, shared_buffers_mib: int = 128, account: Account | None = None
    ) -> None:
        super().__init__(
            "postgres.primary",
            folder,
            sockets=sockets,
            port=PRIMARY_PORT,
            shared_buffers_mib=shared_buffers_mib,
            account=account,
        )

    @property
    def doing(self) -> str:
        return "starting" if self.has_cluster else "making an empty database"

    async def _make(self) -> None:
        unfinished = self._empty_folder()
        locale = (
            ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
            if self.programs.major >= BUILTIN_LOCALES_SINCE
            else ("--locale=C",)
        )
        await self.run_program(
            "initdb",
            *("-D", str(unfinished), "--username=postgres", "--encoding=UTF8", *locale),
            *("--auth-local=trust", "--auth-host=reject", "--data-checksums", *self._sync_options),
        )
        configuration = unfinished / "postgresql.conf"
        self.account.write(configuration, f"include 'midrise.conf'\n{configuration.read_text()}")
        self._configure(unfinished)
        await self.run_program("postgres", "--single", "-D", str(unfinished), "postgres", input_text=FIRST_SQL)
        unfinished.rename(self.folder)


class PostgresReplica(PostgresCluster, DisposableComponent):
    """A server that follows the primary and answers reads."""

    def __init__(
        self,
        number: int,
        folder: Path,
        *,
        primary: PostgresPrimary,
        shared_buffers_mib: int = 128,
        account: Account | None = None,
    ) -> None:
        super().__init__(
            f"postgres.replica.{number}",
            folder,
            sockets=primary.sockets,
            port=PRIMARY_PORT + number,
            shared_buffers_mib=shared_buffers_mib,
            account=account,
        )
        self.primary = primary

    def command(self) -> list[str]:
        primary = f"host='{self.sockets}' port={self.primary.port} user=postgres application_name={self.name}"
        return [*super().command(), "-c", f"primary_conninfo={primary}"]

    async def is_ready(self, pid: int) -> bool:
        return await super().is_ready(pid) and await self._is_streaming()

    @property
    def doing(self) -> str:
        return "starting" if self.has_cluster else "copying the primary"

    def is_beyond_repair(self, output: str) -> bool:
        return any(sentence in output for sentence in HOPELESS)

    async def make_anew(self) -> None:
        await self._make()

    async def _make(self) -> None:
        """Copy the primary as it runs. An old copy is kept until there is a new one: it may be all there is."""
        unfinished = self._empty_folder()
        await self.run_program(
            "pg_basebackup",
            *("-D", str(unfinished), "-d", f"host='{self.sockets}' port={self.primary.port} user=postgres"),
            *("--checkpoint=fast", "--wal-method=stream", *self._sync_options),
        )
        self.account.write(unfinished / "standby.signal", "")
        old = self.folder.with_name(f"{self.folder.name}.old")
        with contextlib.suppress(FileNotFoundError):
            self.folder.rename(old)
        unfinished.rename(self.folder)
        await asyncio.to_thread(shutil.rmtree, old, ignore_errors=True)

    async def _is_streaming(self) -> bool:
        with contextlib.suppress(CannotStart):
            answer = await self.run_program(
                "psql",
                *("-X", "-A", "-t", "-h", str(self.sockets), "-p", str(self.port), "-U", "postgres"),
                *("-c", "SELECT status FROM pg_stat_wal_receiver"),
            )
            return answer.strip() == "streaming"
        return False
