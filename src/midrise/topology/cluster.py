"""What every PostgreSQL server of the topology has in common: one cluster in one folder, on a Unix socket."""

import asyncio
import contextlib
import os
import platform
import re
import shutil
import signal
import tempfile
import time
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from midrise.topology import processes
from midrise.topology.binaries import PostgresPrograms, find_postgres
from midrise.topology.component import Component
from midrise.topology.errors import CannotStart, Refused
from midrise.topology.privileges import Account
from midrise.topology.trouble import full_disk, says_full

LEFTOVERS_LIMIT_S = 2
SYNC_METHOD_SINCE = 17
SYNCFS_SINCE_LINUX = (5, 8)
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
wal_log_hints = on
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
recovery_init_sync_method = {sync_method}
"""


class PostgresCluster(Component):
    """What a primary and a replica have in common: one cluster in one folder."""

    start_limit_s: ClassVar[float] = 600
    stop_limit_s: ClassVar[float] = 60
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    """Fast shutdown: sessions are ended, what was committed is kept."""
    hurry_signal: ClassVar[signal.Signals] = signal.SIGINT
    """The same: it waits for nobody, and a quicker end would cost a recovery at the next start."""

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

    @property
    def has_cluster(self) -> bool:
        return (self.folder / "PG_VERSION").exists()

    @abstractmethod
    async def _make(self) -> None:
        """Fill the folder. It gets its name only when it is whole, so that a half one is never used."""

    async def _fit(self) -> None:
        """Make a cluster that was another's until now this one's."""

    def _settings(self) -> Mapping[str, str]:
        """What the configuration says beyond what is the same for all."""
        return {}

    def configure(self) -> None:
        """Write the configuration; a server that runs reads it when it is told to."""
        self._configure(self.folder)

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.sockets}"',
            "unix_socket_permissions": "0700",
            "port": str(self.port),
            "cluster_name": f"postgres.{self.port}",
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
        if self.has_cluster:
            await self._fit()
        else:
            await self._make()
        self.configure()

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

    async def ask(self, statement: str) -> str:
        """What the server answers to its superuser; raises CannotStart."""
        place = ("-h", str(self.sockets), "-p", str(self.port), "-U", "postgres", "-d", "postgres")
        return (await self.run_program("psql", "-X", "-A", "-t", "-q", *place, "-c", statement)).strip()

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
            if says_full(errors.decode(errors="replace")):
                raise CannotStart(full_disk(self.folder))
            said = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
            raise CannotStart(f"{program} for {self.name} failed: {_worst(said)}")
        return output.decode()

    def _empty_folder(self) -> Path:
        """Where a cluster is made before it gets its name; nobody who was left behind writes there."""
        prefix = f"{self.folder.name}.unfinished."
        for old in self.folder.parent.glob(f"{prefix}*"):
            shutil.rmtree(old, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(prefix=prefix, dir=self.folder.parent))
        self.account.own(unfinished)
        return unfinished

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
        """Wait for sessions that outlive a killed server: a new one refuses to start beside them.

        A server that nobody knows of, but which lives, is shut down first.
        """
        server = self._server_in_pid_file()
        limit = time.monotonic() + LEFTOVERS_LIMIT_S
        while leftovers := self._processes_in_folder():
            if server is not None and server in leftovers:
                _signal({server}, self.stop_signal)
                server, limit = None, time.monotonic() + self.stop_limit_s
            elif time.monotonic() > limit:
                _signal(leftovers, signal.SIGKILL)
            await asyncio.sleep(0.01)
        if processes.PROC.exists():
            # Nobody works in the folder, so the file's number, if it lives, is another program's by now.
            self.pid_file.unlink(missing_ok=True)
        self.clear()

    @property
    def _sync_options(self) -> tuple[str, ...]:
        return (f"--sync-method={sync_method()}",) if self.programs.major >= SYNC_METHOD_SINCE else ()

    def _processes_in_folder(self) -> set[int]:
        return processes.working_in(self.folder.resolve(), program="postgres")

    def _server_in_pid_file(self) -> int | None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(self.pid_file.read_text().splitlines()[0])
        return None

    def _configure(self, folder: Path) -> None:
        configuration = CONFIGURATION.format(
            shared_buffers_mib=self.shared_buffers_mib, sync_method=sync_method()
        )
        settings = "".join(f"{name} = {_quoted(value)}\n" for name, value in self._settings().items())
        self.account.write(folder / "midrise.conf", configuration + settings)
        self.account.write(folder / "pg_hba.conf", ACCESS)


def sync_method() -> str:
    """How a whole cluster is brought to disk: in one call, on systems that tell of errors in it (syncfs(2)).

    File by file takes seconds where the disk is busy, and that is how long a start after a crash would wait.
    """
    found = re.match(r"(\d+)\.(\d+)", platform.release()) if platform.system() == "Linux" else None
    is_able = found is not None and (int(found[1]), int(found[2])) >= SYNCFS_SINCE_LINUX
    return "syncfs" if is_able else "fsync"


def _quoted(value: str) -> str:
    """A value as postgresql.conf takes it."""
    return "'" + value.replace("'", "''") + "'"


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _worst(lines: list[str]) -> str:
    bad = [line for line in lines if "error:" in line or "FATAL:" in line or "PANIC:" in line]
    return (bad or lines or ["it said nothing"])[-1].strip()
