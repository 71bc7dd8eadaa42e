"""`midrise seed` on real PostgreSQL: what it stores, what it says, and how it ends."""

import json

import asyncpg
import pytest
import typer
from anyio import to_thread
from typer.testing import CliRunner

from midrise.cli.seed import seed
from midrise.foundation.errors import Unavailable

pytestmark = pytest.mark.anyio

LINE = '{"sku": "TEA-1", "name": "Tea", "price": {"amount": 1999, "currency": "BDT"}}\n'
BAD_LINE = '{"sku": "TEA-2", "name": "Tea", "price": {"amount": -1, "currency": "BDT"}}\n'


@pytest.fixture
def command(database_url, tmp_path, monkeypatch):
    """Runs `midrise seed` with the arguments in an empty folder."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(seed)

    async def command(*arguments, given=None, database=database_url):
        environment = {"MIDRISE_DATABASE_URL": database}
        return await to_thread.run_sync(
            lambda: CliRunner().invoke(app, arguments, input=given, env=environment)
        )

    return command


@pytest.fixture
def count(database_url):
    """How many products are stored."""

    async def count():
        connection = await asyncpg.connect(database_url)
        try:
            return await connection.fetchval("SELECT count(*) FROM products")
        finally:
            await connection.close()

    return count


async def test_made_up_products_are_stored(command, count):
    done = await command("--demo", "25")

    assert done.exit_code == 0
    assert done.stdout.startswith("Stored 25 products in ")
    assert await count() == 25


async def test_json_tells_what_was_done(command):
    done = await command("--demo", "25", "--json")

    facts = json.loads(done.stdout)
    assert (facts["created"], facts["skipped"]) == (25, 0)
    assert facts["seconds"] > 0


async def test_a_file_is_stored(command, count, tmp_path):
    (tmp_path / "products.ndjson").write_text(LINE)

    done = await command("products.ndjson")

    assert (done.exit_code, await count()) == (0, 1)


async def test_standard_input_is_stored(command, count):
    done = await command("-", given=LINE)

    assert (done.exit_code, await count()) == (0, 1)


async def test_a_bad_line_is_one_sentence_and_leaves_nothing(command, count, tmp_path):
    (tmp_path / "products.ndjson").write_text(LINE + BAD_LINE)

    done = await command("products.ndjson")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Line 2: price/amount must be 0 or more.\n"
    assert await count() == 0


async def test_a_taken_sku_names_the_way_on(command):
    await command("-", given=LINE)

    done = await command("-", given=LINE)

    assert done.exit_code == 1
    assert done.stderr == (
        "Line 1: the sku TEA-1 is taken already. With --skip-existing such products are passed over.\n"
    )


async def test_the_same_demo_twice_names_the_way_on(command, count):
    await command("--demo", "5")

    refused = await command("--demo", "5")
    passed_over = await command("--demo", "6", "--skip-existing", "--json")
    others = await command("--demo", "5", "--random-seed", "2")

    assert "--random-seed" in refused.stderr
    assert json.loads(passed_over.stdout)["created"] == 1
    assert others.exit_code == 0
    assert await count() == 11


@pytest.mark.parametrize("arguments", [(), ("products.ndjson", "--demo", "5"), ("--demo", "0")])
async def test_what_is_wanted_must_be_clear(command, arguments):
    assert (await command(*arguments)).exit_code == 2


async def test_a_file_that_is_not_there_is_one_sentence(command):
    done = await command("products.ndjson")

    assert done.exit_code == 1
    assert done.stderr == "products.ndjson can't be read: No such file or directory.\n"


async def test_a_database_that_is_away_is_one_sentence(command, tmp_path):
    done = await command("--demo", "5", database=f"postgresql://midrise@/midrise?host={tmp_path}")

    assert done.exit_code == 1
    assert done.stderr.startswith("The database does not answer")


async def test_without_a_database_it_says_how_to_get_one(command):
    done = await command("--demo", "5", database=None)

    assert done.exit_code == 1
    assert "MIDRISE_DATABASE_URL" in done.stderr


async def test_a_full_disk_is_called_by_its_name(command, monkeypatch):
    async def full(*_arguments, **_options):
        raise Unavailable from asyncpg.DiskFullError("could not extend file")

    monkeypatch.setattr("midrise.cli.seeding.fill_catalogue", full)

    done = await command("--demo", "1")

    assert done.exit_code == 1
    assert done.stderr == (
        "The disk of the database is full: free some space, then try again; nothing was stored.\n"
    )
