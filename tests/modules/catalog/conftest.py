"""The catalogue on real PostgreSQL: its database, and products made over HTTP."""

from itertools import count

import pytest

from midrise.foundation.database import Database
from midrise.foundation.database.pool import PoolSettings
from midrise.modules.catalog import MODULE


@pytest.fixture
async def database(database_url):
    settings = PoolSettings(database_url, "midrise test")
    database = Database.on_one_server(settings, constraint_errors=MODULE.constraint_errors)
    yield database
    await database.close()


@pytest.fixture
def create(admin):
    """Creates a product: `await create(name="Mug")` gives the answer to the call."""
    numbers = count(1)

    async def create(**fields):
        body = {"sku": f"SKU-{next(numbers)}", "name": "Mug", "price": {"amount": 1999, "currency": "BDT"}}
        return await admin.post("/v1/products", json=body | fields)

    return create


@pytest.fixture
def walk():
    """Follows a list to its end: the items of each page; ``between`` is awaited before each next page."""

    async def walk(client, url, *, between=None):
        pages = []
        while url:
            answer = await client.get(url)
            assert answer.status_code == 200, answer.text
            pages.append(answer.json()["items"])
            url = answer.links["next"]["url"] if "next" in answer.links else None
            if url and between:
                await between()
        return pages

    return walk
