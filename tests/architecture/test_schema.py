"""The migrations make what the modules' tables say: column by column, constraint by constraint, index by index.

Alembic's own comparison sees neither check constraints nor collations, so the database is asked itself: once
after the migrations, once after the tables were made from the metadata.
"""

from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from tests.servers import make_empty_database

from midrise.app import migration_folders
from midrise.foundation.database.metadata import metadata
from midrise.foundation.database.migrations import heads
from midrise.modules import installed_modules

pytestmark = pytest.mark.anyio

MADE_BY_OTHERS = ("alembic_version", "pgqueuer")
"""Alembic's own table, and what begins with the name of the job queue."""

COLUMNS = """
SELECT table_name, column_name, data_type, udt_name, collation_name, column_default, is_nullable,
       character_maximum_length, numeric_precision, is_identity, is_generated, generation_expression
  FROM information_schema.columns WHERE table_schema = 'public'
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""
INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"


@pytest.fixture(scope="module")
def empty_url(sockets: Path, worker_number: int) -> str:
    return make_empty_database(sockets, f"midrise_declared_{worker_number}")


@pytest.fixture(scope="module")
async def declared_url(empty_url: str, anyio_backend: object) -> str:
    """A database whose tables were made from the metadata, without a migration."""
    installed_modules()
    engine = create_async_engine(make_url(empty_url).set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    return empty_url


@pytest.mark.parametrize("question", [COLUMNS, CONSTRAINTS, INDEXES], ids=["columns", "constraints", "indexes"])
async def test_migrations_make_what_the_tables_say(
    question: str, worker_database_url: str, declared_url: str
) -> None:
    migrated = await answers_of(worker_database_url, question)
    declared = await answers_of(declared_url, question)
    assert migrated - declared == set(), "made by the migrations alone"
    assert declared - migrated == set(), "said by the tables alone"
    assert declared


async def test_every_table_is_a_modules_or_known(worker_database_url: str) -> None:
    rows = await answers_of(worker_database_url, COLUMNS)
    assert {str(row[0]) for row in rows} == set(metadata.tables)


def test_every_module_ends_in_one_revision() -> None:
    folders = migration_folders()
    assert len(heads(folders)) == len(folders)


async def answers_of(url: str, question: str) -> set[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(question)
    finally:
        await connection.close()
    return {tuple(row) for row in rows if not str(row[0]).startswith(MADE_BY_OTHERS)}
