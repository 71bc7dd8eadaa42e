"""The servers that tests run on: a real PostgreSQL and a real Valkey, on sockets in a folder of their own."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from midrise.app import migration_folders
from midrise.foundation.database.metadata import metadata
from midrise.foundation.database.migrations import migrate
from midrise.topology.background import running
from midrise.topology.postgres import PostgresPrimary, PostgresReplica
from midrise.topology.valkey import Valkey

SOCKETS = "TESTS_SOCKETS"
"""The variable that tells workers where the servers are."""

TEMPLATE = "midrise_template"
PORT = 5432
REPLICA_PORT = 5433

# Nothing a test writes has to survive the machine: what durability promises is tested on whole topologies.
_FASTER = """
ALTER SYSTEM SET fsync = off;
ALTER SYSTEM SET synchronous_commit = off;
ALTER SYSTEM SET full_page_writes = off;
"""
_KEPT_TABLES = {"signing_keys", "cache_state"}
_SEEDED_TABLES = ("roles", "role_permissions")


@contextmanager
def test_servers() -> Iterator[Path]:
    """Running servers and a migrated template; their folder of sockets."""
    with tempfile.TemporaryDirectory(prefix="midrise-tests-") as name:
        folder = Path(name)
        sockets = folder / "s"
        postgres = PostgresPrimary(folder / "postgres", sockets=sockets)
        valkey = Valkey(folder / "valkey", sockets=sockets)
        replica = PostgresReplica(1, folder / "replica", primary=postgres)
        with running(postgres, replica, valkey, logs=folder / "logs"):
            _execute(sockets, "postgres", _FASTER, "SELECT pg_reload_conf()")
            _execute(sockets, "postgres", f"CREATE DATABASE {TEMPLATE} OWNER midrise")
            migrate(database_url(sockets, TEMPLATE), version_folders=migration_folders())
            _execute(sockets, TEMPLATE, *_keep_seeds())
            os.environ[SOCKETS] = str(sockets)
            yield sockets


def make_database(sockets: Path, name: str) -> str:
    """A fresh copy of the template, in place of one of that name; its URL."""
    _execute(sockets, "postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _execute(sockets, "postgres", f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER midrise")
    return database_url(sockets, name)


def make_empty_database(sockets: Path, name: str) -> str:
    """A database without a table, in place of one of that name; its URL."""
    _execute(sockets, "postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _execute(sockets, "postgres", f"CREATE DATABASE {name} OWNER midrise")
    return database_url(sockets, name)


def database_url(sockets: Path, name: str, *, role: str = "midrise", port: int = PORT) -> str:
    return f"postgresql://{role}@/{name}?host={sockets}&port={port}"


def emptying() -> str:
    """Statements that bring every table back to what the migrations left."""
    tables = [table for table in reversed(metadata.sorted_tables) if table.name not in _KEPT_TABLES]
    deletes = [f"DELETE FROM {table.name};" for table in tables]
    seeds = [f"INSERT INTO {name} SELECT * FROM seeds.{name};" for name in _SEEDED_TABLES]
    return "\n".join([*deletes, *seeds, "DELETE FROM pgqueuer; DELETE FROM pgqueuer_log;"])


def _keep_seeds() -> list[str]:
    copies = [f"CREATE TABLE seeds.{name} AS TABLE {name}" for name in _SEEDED_TABLES]
    return [
        "CREATE SCHEMA seeds",
        *copies,
        "GRANT USAGE ON SCHEMA seeds TO midrise",
        "GRANT SELECT ON ALL TABLES IN SCHEMA seeds TO midrise",
    ]


def _execute(sockets: Path, database: str, *statements: str) -> None:
    asyncio.run(_execute_each(database_url(sockets, database, role="postgres"), statements))


async def _execute_each(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            for part in statement.strip().split(";\n"):
                await connection.execute(part)
    finally:
        await connection.close()
