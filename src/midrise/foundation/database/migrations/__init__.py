"""Brings a database to the present shape: Alembic, one run at a time."""

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import cast

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from midrise.foundation.database.cache_switch.switch import CacheSwitch
from midrise.foundation.database.nodes import Nodes
from midrise.foundation.database.pool import PoolSettings
from midrise.foundation.errors import Unavailable

_LOCK = 0x6D696472697365
"""The advisory lock that keeps two migrations apart: "midrise" in ASCII."""

_LOCK_TIMEOUT = "10s"
"""How long a migration waits for a table. Whoever comes after it waits behind it."""


class MigrationFailed(Exception):
    """The database could not be brought to the present shape; the text says why, in one sentence."""


def migrate(database_url: str, *, version_folders: Sequence[Path], replica_urls: Sequence[str] = ()) -> None:
    """Run every migration that the database lacks; a second run waits for the first and finds nothing to do.

    Of several servers that the URLs name, the primary is changed. ``version_folders`` are the modules' own
    ``migrations`` folders, whose revisions may depend on each other's. All of it happens, or nothing. Raises
    `MigrationFailed`.
    """
    try:
        asyncio.run(_migrate(database_url, _config(version_folders), replica_urls))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as trouble:
        raise MigrationFailed(f"The database can't be reached: {trouble}.") from trouble
    except (CommandError, SQLAlchemyError) as trouble:
        raise MigrationFailed(f"The migrations failed, and nothing was changed: {trouble}") from trouble


def heads(version_folders: Sequence[Path]) -> frozenset[str]:
    """The revisions that a database of the present shape is at."""
    return _heads_of(_config(version_folders))


def _heads_of(config: Config) -> frozenset[str]:
    """The same of a configuration."""
    return frozenset(ScriptDirectory.from_config(config).get_heads())


def _config(version_folders: Sequence[Path]) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(str(folder) for folder in version_folders))
    return config


async def _migrate(database_url: str, config: Config, replica_urls: Sequence[str]) -> None:
    settings = PoolSettings(database_url, "midrise migrate")
    nodes = Nodes.of(settings, reading=settings, replica_urls=replica_urls)
    try:
        primary_url = (await nodes.find_primary()).url
        await _migrate_primary(primary_url, config, nodes)
    except Unavailable as nobody:
        raise MigrationFailed("None of the database's servers is a primary that can be reached.") from nobody
    finally:
        await nodes.close()


async def _migrate_primary(primary_url: str, config: Config, nodes: Nodes) -> None:
    def connect() -> Awaitable[asyncpg.Connection]:
        # By asyncpg itself, as the pools connect: SQLAlchemy knows neither `sslmode` nor several hosts.
        settings = {"application_name": "midrise migrate", "lock_timeout": _LOCK_TIMEOUT}
        return cast("Awaitable[asyncpg.Connection]", asyncpg.connect(primary_url, server_settings=settings))

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SET LOCAL lock_timeout = 0"))  # the run before may take its time
            await connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            await connection.commit()
            if await connection.run_sync(_is_behind, config):
                await _forget_what_is_cached(connection, nodes)
            await connection.run_sync(_upgrade, config)
            await connection.commit()
    finally:
        await engine.dispose()


def _is_behind(connection: Connection, config: Config) -> bool:
    return set(MigrationContext.configure(connection).get_current_heads()) != _heads_of(config)


async def _forget_what_is_cached(connection: AsyncConnection, nodes: Nodes) -> None:
    """Migrations change rows without a word to the cache: servers that run meanwhile may not go on with what
    they remember. As for any change that can't be marked, the transaction gets its id first (docs/cache.md)."""
    if await connection.scalar(text("SELECT to_regclass('cache_state')")) is None:
        return
    await connection.execute(text("SELECT pg_current_xact_id()"))
    switch = CacheSwitch(nodes, None)
    try:
        await switch.turn_off()
    finally:
        await switch.close()


def _upgrade(connection: Connection, config: Config) -> None:
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")
