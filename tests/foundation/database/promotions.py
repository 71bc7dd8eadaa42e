"""A primary and replicas of a test's own, to be killed, promoted and brought back."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Self

import asyncpg
import psutil

from midrise.foundation.database import Database, PoolSettings
from midrise.foundation.database.nodes import Nodes
from midrise.topology.background import running
from midrise.topology.cluster import PostgresCluster
from midrise.topology.postgres import PostgresPrimary, PostgresReplica

TABLE = ("CREATE TABLE things (name text PRIMARY KEY)", "ALTER TABLE things OWNER TO midrise")
FASTER = ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()")


class Servers:
    """Servers of one database, as their operator has them: each can be killed and started by itself."""

    def __init__(self, folder: Path, *, replicas: int) -> None:
        sockets = folder / "s"
        self._logs = folder / "logs"
        primary = PostgresPrimary(folder / "postgres" / "primary", sockets=sockets, shared_buffers_mib=16)
        self.all: Sequence[PostgresCluster] = [
            primary,
            *(
                PostgresReplica(
                    number, folder / "postgres" / f"replica.{number}", primary=primary, shared_buffers_mib=16
                )
                for number in range(1, replicas + 1)
            ),
        ]
        self._running = {}
        self._pids = {}

    def __enter__(self) -> Self:
        for server in self.all:
            self.start(server)
        return self

    def __exit__(self, *_: object) -> None:
        for server in reversed(self.all):
            self.stop(server)

    def start(self, server: PostgresCluster) -> None:
        stack = contextlib.ExitStack()
        self._pids[server] = stack.enter_context(running(server, logs=self._logs))[server.name]
        self._running[server] = stack

    def stop(self, server: PostgresCluster) -> None:
        with self._running.pop(server, contextlib.nullcontext()):
            pass

    def kill(self, server: PostgresCluster) -> None:
        os.kill(self._pids[server], signal.SIGKILL)
        self.stop(server)

    @contextlib.contextmanager
    def frozen(self, server: PostgresCluster) -> Iterator[None]:
        """Stopped as it stands: its connections stay open, and nothing comes from them any more."""
        with frozen(self._pids[server]):
            yield

    def url(self) -> str:
        """All of them, as libpq names several hosts."""
        hosts = ",".join(str(server.sockets) for server in self.all)
        ports = ",".join(str(server.port) for server in self.all)
        return f"postgresql://midrise@/midrise?host={hosts}&port={ports}"

    async def run(self, server: PostgresCluster, *statements: str) -> list[asyncpg.Record]:
        """Run statements as the superuser; what the last one gave."""
        connection = await asyncpg.connect(server.url.replace("midrise@", "postgres@"))
        try:
            return [await connection.fetch(statement) for statement in statements][-1]
        finally:
            await connection.close()

    async def value(self, server: PostgresCluster, statement: str) -> object:
        return (await self.run(server, statement))[0][0]

    def rows_now(self, server: PostgresCluster, statement: str) -> list[asyncpg.Record]:
        """The same as `run`, from synchronous code."""
        return asyncio.run(self.run(server, statement))

    def value_now(self, server: PostgresCluster, statement: str) -> object:
        return self.rows_now(server, statement)[0][0]

    async def promote(self, server: PostgresCluster) -> None:
        assert await self.value(server, "SELECT pg_promote()")

    async def pause(self, server: PostgresCluster) -> None:
        """Have a replica replay nothing, though it goes on receiving."""
        await self.run(server, "SELECT pg_wal_replay_pause()")
        paused = "SELECT pg_get_wal_replay_pause_state() = 'paused'"
        while not await self.value(server, paused):  # noqa: ASYNC110  the replica tells nobody
            await asyncio.sleep(0.01)

    async def resume(self, server: PostgresCluster) -> None:
        await self.run(server, "SELECT pg_wal_replay_resume()")

    async def replayed(self, on: PostgresCluster, *, of: PostgresCluster) -> None:
        """Wait until a replica has all that is there."""
        end = await self.value(of, "SELECT pg_current_wal_insert_lsn()::text")
        replayed = f"SELECT pg_last_wal_replay_lsn() >= '{end}'"
        while not await self.value(on, replayed):  # noqa: ASYNC110  the replica tells nobody
            await asyncio.sleep(0.01)


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a server and its processes as they stand."""
    postmaster = psutil.Process(pid)
    postmaster.suspend()
    processes = [postmaster, *postmaster.children()]
    try:
        for process in processes[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


@contextlib.contextmanager
def servers(*, replicas: int = 1) -> Iterator[Servers]:
    with (
        tempfile.TemporaryDirectory(prefix="midrise-") as name,
        Servers(Path(name), replicas=replicas) as started,
    ):
        asyncio.run(started.run(started.all[0], *FASTER, *TABLE))
        yield started


@contextlib.asynccontextmanager
async def watching(
    started: Servers, *, most_lag_seconds: float = 10.0, **options: object
) -> AsyncIterator[Database]:
    """A database on all of them, as an API server has it."""
    settings = PoolSettings(started.url(), "midrise test", **{"largest_size": 4} | options)
    nodes = Nodes.of(settings, reading=settings, most_lag_seconds=most_lag_seconds)
    database = Database(nodes=nodes, constraint_errors={})
    await nodes.start()
    try:
        await nodes.find_primary()
        yield database
    finally:
        await database.close()
