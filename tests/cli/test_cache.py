"""`midrise cache renew`: what somebody changed past Midrise is shown."""

import asyncpg
import httpx
import pytest
import typer
from anyio import to_thread
from tests.foundation.waiting import until
from typer.testing import CliRunner

from midrise.cli.cache import cache

pytestmark = pytest.mark.anyio

MUG = {"sku": "MUG", "name": "Blue mug", "status": "active", "price": {"amount": 1999, "currency": "BDT"}}


async def test_what_was_changed_by_hand_is_shown_after_it(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, emptier: asyncpg.Connection, database_url, tmp_path
):
    product = f"/v1/products/{(await admin.post('/v1/products', json=MUG)).json()['id']}"

    async def name() -> str:
        return str((await client.get(product)).json()["name"])

    assert await name() == "Blue mug"
    await emptier.execute("UPDATE products SET name = 'Green mug'")
    assert await name() == "Blue mug"

    done = await renew(database_url, tmp_path)

    assert (done.exit_code, await name()) == (0, "Green mug")


async def test_what_is_remembered_afterwards_is_remembered_again(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, emptier: asyncpg.Connection, database_url, tmp_path
):
    await renew(database_url, tmp_path)
    product = f"/v1/products/{(await admin.post('/v1/products', json=MUG)).json()['id']}"

    async def is_remembered() -> bool:
        await emptier.execute("UPDATE products SET name = 'Green mug'")
        before = (await client.get(product)).json()["name"]
        await emptier.execute("UPDATE products SET name = 'Red mug'")
        return bool((await client.get(product)).json()["name"] == before)

    await until(is_remembered)


async def test_without_a_database_it_says_so(tmp_path):
    done = await renew("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr


async def renew(database_url: str, folder):
    app = typer.Typer()
    app.add_typer(cache, name="cache")
    environment = {"MIDRISE_DATABASE_URL": database_url, "MIDRISE_HOME": str(folder)}
    return await to_thread.run_sync(lambda: CliRunner().invoke(app, ["cache", "renew"], env=environment))
