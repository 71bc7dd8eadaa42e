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
from collections.abc import Mapping
from pathlib import Path

from midrise.topology.cluster import PostgresCluster
from midrise.topology.component import DisposableComponent
from midrise.topology.errors import CannotStart
from midrise.topology.places import FIRST_PORT, is_primary, rewinding_mark, timeline_of
from midrise.topology.privileges import Account

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
    "before current recovery point",
    "database system identifier differs",
    "recovery aborted because of insufficient parameter settings",
    "could not locate a valid checkpoint record",
)
"""What a replica prints when no waiting will ever let it follow the primary again."""


class PostgresPrimary(PostgresCluster):
    """The server that writes; the one that has the truth."""

    def __init__(
        self,
        folder: Path,
        *,
        sockets: Path,
        port: int = FIRST_PORT,
        shared_buffers_mib: int = 128,
        account: Account | None = None,
    ) -> None:
        super().__init__(
            "postgres.primary",
            folder,
            sockets=sockets,
            port=port,
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
        port: int | None = None,
        shared_buffers_mib: int = 128,
        account: Account | None = None,
    ) -> None:
        super().__init__(
            f"postgres.replica.{number}",
            folder,
            sockets=primary.sockets,
            port=FIRST_PORT + number if port is None else port,
            shared_buffers_mib=shared_buffers_mib,
            account=account,
        )
        self.primary = primary

    async def is_ready(self, pid: int) -> bool:
        return await super().is_ready(pid) and await self.is_streaming()

    @property
    def doing(self) -> str:
        return "starting" if self.has_cluster else "copying the primary"

    def is_beyond_repair(self, output: str) -> bool:
        return any(sentence in output for sentence in HOPELESS)

    async def make_anew(self) -> None:
        self._refuse_promoted()
        await self._make()

    async def is_streaming(self) -> bool:
        with contextlib.suppress(CannotStart):
            return await self.ask("SELECT status FROM pg_stat_wal_receiver") == "streaming"
        return False

    def _settings(self) -> Mapping[str, str]:
        return {"primary_conninfo": f"{self._primary_place} application_name={self.name}"}

    @property
    def _primary_place(self) -> str:
        return f"host='{self.sockets}' port={self.primary.port} user=postgres"

    async def _fit(self) -> None:
        """Have a server that was the primary before follow the present one."""
        mark = rewinding_mark(self.folder)
        if mark.exists():
            # A rewind that was broken off leaves nothing that can be relied on.
            await self._make()
        elif is_primary(self.folder):
            self._refuse_promoted()
            mark.touch()
            try:
                await self._rewind()
            except CannotStart:
                await self._make()
        mark.unlink(missing_ok=True)

    async def _rewind(self) -> None:
        """Take back what it wrote that the primary never got, and fetch what was written there since."""
        source = f"{self._primary_place} dbname=postgres"
        await self.run_program(
            "pg_rewind",
            *("-D", str(self.folder), f"--source-server={source}", *self._sync_options),
        )
        self.account.write(self.folder / "standby.signal", "")

    def _refuse_promoted(self) -> None:
        """A replica that was promoted by hand holds what nobody else has: nothing is copied over it."""
        own, primary = timeline_of(self.folder), timeline_of(self.primary.folder)
        if self.has_cluster and is_primary(self.folder) and own > primary:
            raise CannotStart(
                f"{self.name} was promoted (timeline {own}), so it does not follow {self.primary.name} "
                f"(timeline {primary}) any more: make it the primary with midrise promote {self.name}"
            )

    async def _make(self) -> None:
        """Copy the primary as it runs. An old copy is kept until there is a new one: it may be all there is."""
        unfinished = self._empty_folder()
        await self.run_program(
            "pg_basebackup",
            *("-D", str(unfinished), "-d", self._primary_place),
            *("--checkpoint=fast", "--wal-method=stream", *self._sync_options),
        )
        self.account.write(unfinished / "standby.signal", "")
        old = self.folder.with_name(f"{self.folder.name}.old")
        with contextlib.suppress(FileNotFoundError):
            self.folder.rename(old)
        unfinished.rename(self.folder)
        await asyncio.to_thread(shutil.rmtree, old, ignore_errors=True)
