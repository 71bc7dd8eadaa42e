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
import os
import shutil
import signal
import time
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from midrise.topology import processes
from midrise.topology.binaries import PostgresPrograms, find_postgres
from midrise.topology.component import Component
from midrise.topology.errors import CannotStart, Refused
from midrise.topology.privileges import Account

PRIMARY_PORT = 5432
BUILTIN_LOCALES_SINCE = 17
LEFTOVERS_LIMIT_S = 5
FIRST_SQL = """\
CREATE ROLE midrise LOGIN;
GRANT pg_monitor TO midrise;
CREATE DATABASE midrise OWNER midrise;
"""
ACCESS = """\
# Written by Midrise. Who can enter the private folder of the sockets may connect; nothing listens on TCP.
local  all          all  trust
local  replication  all  trust
"""
CONFIGURATION = """\
# Written by Midrise at every start. What postgresql.conf or ALTER SYSTEM says wins over it.
shared_buffers = '{shared_buffers_mib}MB'
max_connections = 300
wal_level = replica
max_wal_senders = 16
wal_keep_size = '512MB'
hot_standby_feedback = on
wal_retrieve_retry_interval = '100ms'
wal_receiver_status_interval = '1s'
random_page_cost = 1.1
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%a '
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


class Postgres(Component):
    """What a primary and a replica have in common."""

    start_limit_s: ClassVar[float] = 600
    stop_limit_s: ClassVar[float] = 60
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    """Fast shutdown: sessions are ended, what was committed is kept."""

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        sockets: Path,
        port: int,
        shared_buffers_mib: int = 128,
        account: Account | None = None,
    ) -> None:
        super().__init__(name, account=account)
        self.folder = folder
        self.sockets = sockets
        self.port = port
        self.shared_buffers_mib = shared_buffers_mib

    @property
    def url(self) -> str:
        return f"postgresql://midrise@/midrise?host={quote(str(self.sockets), safe='/')}&port={self.port}"

    @property
    def programs(self) -> PostgresPrograms:
        return find_postgres()

    @property
    def pid_file(self) -> Path:
        return self.folder / "postmaster.pid"

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.sockets}"',
            "unix_socket_permissions": "0700",
            "port": str(self.port),
            "cluster_name": self.name,
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        return [
            self.programs.path("postgres"),
            *("-D", str(self.folder)),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]

    async def prepare(self) -> None:
        self.account.own(self.folder.parent)
        self.account.own(self.sockets)
        self._refuse_other_major()
        await self._await_end_of_leftovers()
        if not (self.folder / "PG_VERSION").exists():
            await self.make_anew()
        self._configure(self.folder)

    async def is_ready(self, pid: int) -> bool:
        # The lines of postmaster.pid are fixed (PostgreSQL's pidfile.h): 1 is the number, 8 the status, which
        # is "ready" on a replica too once it answers reads.
        with contextlib.suppress(OSError):
            lines = self.pid_file.read_text().splitlines()
            return len(lines) >= 8 and int(lines[0]) == pid and lines[7].strip() == "ready"
        return False

    def clear(self) -> None:
        for name in (f".s.PGSQL.{self.port}", f".s.PGSQL.{self.port}.lock"):
            (self.sockets / name).unlink(missing_ok=True)

    async def run_program(self, program: str, *arguments: str, input_text: str = "") -> str:
        """Run one of PostgreSQL's own programs to its end. Returns what it printed; raises CannotStart."""
        account = self.account
        process = await asyncio.create_subprocess_exec(
            *account.prefix,
            self.programs.path(program),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            user=account.user_id,
            group=account.group_id,
            extra_groups=None if account.user_id is None else [],
        )
        try:
            output, errors = await process.communicate(input_text.encode())
        except asyncio.CancelledError:
            processes.signal_group(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if process.returncode != 0:
            said = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
            raise CannotStart(f"{program} for {self.name} failed: {_worst(said)}")
        return output.decode()

    def _refuse_other_major(self) -> None:
        try:
            major = int((self.folder / "PG_VERSION").read_text())
        except FileNotFoundError:
            return
        if major != self.programs.major:
            raise Refused(
                f"{self.folder} was made by PostgreSQL {major}, but {self.programs.major} is installed: "
                f"install {major}, or move the data over with pg_dump or pg_upgrade"
            )

    async def _await_end_of_leftovers(self) -> None:
        """Wait for sessions that outlive a killed server: a new one refuses to start beside them."""
        folder = self.folder.resolve()
        limit = time.monotonic() + LEFTOVERS_LIMIT_S
        while leftovers := processes.working_in(folder):
            if time.monotonic() > limit:
                for pid in leftovers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
        if processes.PROC.exists():
            # Nobody works in the folder, so the file's number, if it lives, is another program's by now.
            self.pid_file.unlink(missing_ok=True)
        self.clear()

    def _configure(self, folder: Path) -> None:
        _write(folder / "midrise.conf", CONFIGURATION.format(shared_buffers_mib=self.shared_buffers_mib))
        _write(folder / "pg_hba.conf", ACCESS)


class PostgresPrimary(Postgres):
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

    async def make_anew(self) -> None:
        """Make an empty cluster. It gets its name only when it is whole, so that a half one is never used."""
        unfinished = self.folder.with_name(f"{self.folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self.account.own(unfinished)
        locale = (
            ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C")
            if self.programs.major >= BUILTIN_LOCALES_SINCE
            else ("--locale=C",)
        )
        await self.run_program(
            "initdb",
            *("-D", str(unfinished), "--username=postgres", "--encoding=UTF8", *locale),
            *("--auth-local=trust", "--auth-host=reject", "--data-checksums"),
        )
        _include(unfinished / "postgresql.conf")
        self._configure(unfinished)
        await self.run_program("postgres", "--single", "-D", str(unfinished), "postgres", input_text=FIRST_SQL)
        unfinished.rename(self.folder)


class PostgresReplica(Postgres):
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

    def is_beyond_repair(self, output: str) -> bool:
        return any(sentence in output for sentence in HOPELESS)

    async def make_anew(self) -> None:
        """Copy the primary as it runs. What was here before is thrown away: the primary has it all."""
        unfinished = self.folder.with_name(f"{self.folder.name}.unfinished")
        for folder in (unfinished, self.folder):
            shutil.rmtree(folder, ignore_errors=True)
        self.account.own(unfinished)
        await self.run_program(
            "pg_basebackup",
            *("-D", str(unfinished), "-d", f"host='{self.sockets}' port={self.primary.port} user=postgres"),
            *("--checkpoint=fast", "--wal-method=stream"),
        )
        _write(unfinished / "standby.signal", "")
        unfinished.rename(self.folder)

    async def _is_streaming(self) -> bool:
        with contextlib.suppress(CannotStart):
            answer = await self.run_program(
                "psql",
                *("-X", "-A", "-t", "-h", str(self.sockets), "-p", str(self.port), "-U", "postgres"),
                *("-c", "SELECT status FROM pg_stat_wal_receiver"),
            )
            return answer.strip() == "streaming"
        return False


def _include(path: Path) -> None:
    _write(path, f"include 'midrise.conf'\n{path.read_text()}")


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)


def _worst(lines: list[str]) -> str:
    bad = [line for line in lines if "error:" in line or "FATAL:" in line or "PANIC:" in line]
    return (bad or lines or ["it said nothing"])[-1].strip()
