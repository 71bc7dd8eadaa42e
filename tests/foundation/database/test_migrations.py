"""Migrations bring an empty database to the present shape, whole, and one run at a time."""

import asyncio
from datetime import timedelta
from pathlib import Path
from textwrap import dedent

import asyncpg
import pytest
from tests.foundation.waiting import until
from tests.servers import make_empty_database

from midrise.app import migration_folders
from midrise.foundation.database import migrations
from midrise.foundation.database.migrations import MigrationFailed, heads, migrate

pytestmark = pytest.mark.anyio

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
WAITS = """
SELECT count(*) > 0 FROM pg_stat_activity
 WHERE application_name = 'midrise migrate' AND wait_event = 'advisory' AND now() - query_start > $1
"""


@pytest.fixture
def empty_url(sockets: Path, worker_number: int) -> str:
    return make_empty_database(sockets, f"midrise_empty_{worker_number}")


async def ask(url: str, question: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(question)]
    finally:
        await connection.close()


async def migrated(url: str, *folders: Path) -> None:
    await asyncio.to_thread(migrate, url, version_folders=folders or migration_folders())


def lay_down(folder: Path, **revisions: str) -> Path:
    """A folder of made-up revisions, one after the other."""
    before = None
    for name, upgrade in revisions.items():
        source = f"""
        from alembic import op

        revision, down_revision, branch_labels, depends_on = {name!r}, {before!r}, None, None


        def upgrade() -> None:
            op.execute({upgrade!r})
        """
        (folder / f"{name}.py").write_text(dedent(source))
        before = name
    return folder


async def test_an_empty_database_gets_every_table(empty_url):
    await migrated(empty_url)
    assert {"users", "products", "audit_events", "config_values", "pgqueuer"} <= set(
        await ask(empty_url, TABLES)
    )
    assert set(await ask(empty_url, "SELECT version_num FROM alembic_version")) == heads(migration_folders())


async def test_a_url_is_read_as_the_pools_read_it(empty_url):
    with_options = f"{empty_url.replace('host=', 'host=/nowhere,')},5432&sslmode=prefer"
    await migrated(with_options)
    assert "users" in await ask(empty_url, TABLES)


async def test_two_runs_at_once_do_the_work_of_one(empty_url):
    await asyncio.gather(*(migrated(empty_url) for _ in range(3)))
    assert set(await ask(empty_url, "SELECT version_num FROM alembic_version")) == heads(migration_folders())


async def test_a_run_waits_for_the_one_before_however_long_it_takes(empty_url, monkeypatch):
    monkeypatch.setattr(migrations, "_LOCK_TIMEOUT", "50ms")
    holder = await asyncpg.connect(empty_url)
    await holder.execute("SELECT pg_advisory_lock($1)", migrations._LOCK)
    run = asyncio.create_task(migrated(empty_url))
    await until(lambda: holder.fetchval(WAITS, timedelta(milliseconds=200)))
    await holder.close()
    await run
    assert "users" in await ask(empty_url, TABLES)


async def test_a_table_is_waited_for_no_longer_than_said(empty_url, tmp_path, monkeypatch):
    monkeypatch.setattr(migrations, "_LOCK_TIMEOUT", "50ms")
    holder = await asyncpg.connect(empty_url)
    await holder.execute("CREATE TABLE things (name text)")
    transaction = holder.transaction()
    await transaction.start()
    await holder.execute("LOCK TABLE things IN ACCESS SHARE MODE")
    with pytest.raises(MigrationFailed, match="lock timeout"):
        await migrated(empty_url, lay_down(tmp_path, adds_shelf="ALTER TABLE things ADD shelf text"))
    await transaction.rollback()
    await holder.close()


async def test_of_a_run_that_fails_nothing_is_there(empty_url, tmp_path):
    folder = lay_down(
        tmp_path, first="CREATE TABLE things (name text)", second="CREATE TABLE broken (name nonsense)"
    )
    with pytest.raises(MigrationFailed, match="nothing was changed"):
        await migrated(empty_url, folder)
    assert await ask(empty_url, TABLES) == []


async def test_a_database_of_a_later_version_is_told(empty_url, tmp_path):
    await migrated(empty_url, lay_down(tmp_path, first="SELECT 1", second="SELECT 2"))
    (tmp_path / "second.py").unlink()
    with pytest.raises(MigrationFailed, match="second"):
        await migrated(empty_url, tmp_path)


async def test_a_server_that_is_away_is_told_in_one_sentence():
    with pytest.raises(MigrationFailed, match="can't be reached") as failed:
        await migrated("postgresql://nobody@/nothing?host=/nowhere")
    assert "\n" not in str(failed.value)


IS_ON = "SELECT off_until IS NULL FROM cache_state"
TURN_ON = "UPDATE cache_state SET off_until = NULL"


async def test_a_migration_ends_what_servers_remember_and_a_run_without_one_does_not(empty_url, tmp_path):
    await migrated(empty_url)
    await ask(empty_url, TURN_ON)
    await migrated(empty_url)
    assert await ask(empty_url, IS_ON) == [True]
    further = lay_down(tmp_path, renames="UPDATE roles SET description = 'Looks after the shop'")
    await migrated(empty_url, *migration_folders(), further)
    assert await ask(empty_url, IS_ON) == [False]
