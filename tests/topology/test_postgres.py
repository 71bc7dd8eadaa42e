"""A real primary and a real replica, started and damaged one at a time."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.topology.house import wait_for
from tests.topology.scripts import until

from midrise.topology.background import running
from midrise.topology.child import Child
from midrise.topology.cluster import PostgresCluster
from midrise.topology.errors import Refused
from midrise.topology.kept import Kept
from midrise.topology.leftovers import ProcessRecord
from midrise.topology.postgres import PostgresPrimary, PostgresReplica


@pytest.fixture
def primary(folder: Path) -> PostgresPrimary:
    return PostgresPrimary(folder / "postgres" / "primary", sockets=folder / "s", shared_buffers_mib=16)


@pytest.fixture
def replica(folder: Path, primary: PostgresPrimary) -> PostgresReplica:
    return PostgresReplica(1, folder / "postgres" / "replica.1", primary=primary, shared_buffers_mib=16)


@pytest.fixture
def started(folder: Path, primary: PostgresPrimary) -> Iterator[int]:
    """The process number of a running primary."""
    with running(primary, logs=folder / "logs") as pids:
        yield pids[primary.name]


def ask(server: PostgresCluster, statement: str, *, role: str = "midrise") -> str:
    place = ["-h", str(server.sockets), "-p", str(server.port), "-U", role, "-d", "midrise"]
    return asyncio.run(server.run_program("psql", "-XAtq", *place, input_text=statement)).strip()


def test_an_empty_folder_becomes_a_database_that_only_its_sockets_lead_to(primary, started: int) -> None:
    assert ask(primary, "SHOW listen_addresses") == ""
    assert ask(primary, "SHOW fsync") == "on"
    assert ask(primary, "CREATE TABLE mine (id int); SELECT current_database()") == "midrise"
    assert primary.sockets.stat().st_mode & 0o077 == 0
    assert primary.folder.stat().st_mode & 0o077 == 0


def test_the_role_of_the_application_is_no_superuser_but_may_make_trusted_extensions(primary, started) -> None:
    assert ask(primary, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = 'midrise'") == "f"
    assert ask(primary, "CREATE EXTENSION pg_trgm; SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'")


def test_what_an_operator_set_wins(folder: Path, primary: PostgresPrimary) -> None:
    with running(primary, logs=folder / "logs"):
        ask(primary, "ALTER SYSTEM SET max_connections = 20", role="postgres")
    with running(primary, logs=folder / "logs"):
        assert ask(primary, "SHOW max_connections") == "20"


def test_a_replica_follows_and_refuses_writes(folder: Path, primary, replica, started: int) -> None:
    with running(replica, logs=folder / "logs"):
        ask(primary, "CREATE TABLE seen (id int); INSERT INTO seen VALUES (7)")
        position = ask(primary, "SELECT pg_current_wal_lsn()")
        has_replayed = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
        wait_for(lambda: ask(replica, has_replayed) == "t")
        assert ask(replica, "SELECT id FROM seen") == "7"
        assert ask(replica, "SHOW transaction_read_only") == "on"
        assert ask(primary, "SELECT application_name FROM pg_stat_replication") == replica.name


def test_the_replica_of_another_primary_is_made_anew(folder: Path, primary, replica) -> None:
    with running(primary, replica, logs=folder / "logs"):
        pass
    shutil.rmtree(primary.folder)
    with running(primary, logs=folder / "logs"):
        ask(primary, "CREATE TABLE second (id int)")
        told = []
        record = ProcessRecord(folder / "processes.json")
        kept = Kept(replica, logs=folder / "logs", record=record, tell=told.append)

        async def life() -> str:
            await kept.start()
            try:
                return await asyncio.to_thread(ask, replica, "SELECT count(*) FROM second")
            finally:
                await kept.stop()

        assert asyncio.run(life()) == "0"
    assert "database system identifier differs" in told[0].text


def test_the_folder_of_another_major_is_refused_in_one_sentence(folder: Path, primary) -> None:
    primary.folder.mkdir(parents=True)
    (primary.folder / "PG_VERSION").write_text("9\n")
    with pytest.raises(Refused, match=r"was made by PostgreSQL 9, but \d+ is installed"):
        asyncio.run(primary.prepare())


def test_a_killed_primary_starts_again_beside_sessions_that_outlived_it(folder: Path, primary) -> None:
    with running(primary, logs=folder / "logs") as pids:
        ask(primary, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
        server = psutil.Process(pids[primary.name])
        busy = [child for child in server.children() if _is_checkpointer(child)]
        # A stopped process can't notice that its server is gone: it stays until it is ended.
        for child in busy:
            child.suspend()
        server.kill()
        server.wait()
    assert busy
    with running(primary, logs=folder / "logs"):
        assert ask(primary, "SELECT id FROM kept") == "1"


def _is_checkpointer(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):  # such as what ended just now
        return "checkpointer" in process.name() + " ".join(process.cmdline())
    return False


def test_a_server_that_somebody_else_started_on_the_folder_is_shut_down_first(folder: Path, primary) -> None:
    with running(primary, logs=folder / "logs"):
        pass
    account = primary.account
    with subprocess.Popen(
        [*account.prefix, *primary.command()],
        user=account.user_id,
        group=account.group_id,
        stderr=subprocess.DEVNULL,
    ) as stranger:
        wait_for(lambda: asyncio.run(primary.is_ready(stranger.pid)))
        with running(primary, logs=folder / "logs"):
            assert stranger.wait() == 0
            assert ask(primary, "SELECT 1") == "1"


def test_a_pid_file_that_names_another_program_is_no_obstacle(folder: Path, primary) -> None:
    with running(primary, logs=folder / "logs") as pids:
        text = primary.pid_file.read_text()
        assert int(text.splitlines()[0]) == pids[primary.name]
    lines = text.splitlines()
    lines[0] = str(os.getpid())
    primary.pid_file.write_text("\n".join(lines) + "\n")
    with running(primary, logs=folder / "logs"):
        assert ask(primary, "SELECT 1") == "1"


def test_a_cancelled_start_leaves_no_process(folder: Path, primary) -> None:
    async def life() -> None:
        child = Child(primary, logs=folder)
        task = asyncio.create_task(child.start())
        await until(lambda: list(folder.glob("postgres/primary.unfinished.*")))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(life())
    assert not [each for each in psutil.process_iter() if str(folder) in " ".join(cmdline(each))]


def cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_sockets_are_gone_after_a_stop_and_after_a_kill(folder: Path, primary) -> None:
    with running(primary, logs=folder / "logs") as pids:
        os.kill(pids[primary.name], signal.SIGKILL)
    assert list(primary.sockets.iterdir()) == []
