"""What tests of the middleware ask for."""

import secrets

import pytest


@pytest.fixture
async def product(admin):
    sku = secrets.token_hex(8)
    body = {"sku": sku, "name": sku, "price": {"amount": 1, "currency": "BDT"}, "status": "active"}
    return (await admin.post("/v1/products", json=body)).json()


@pytest.fixture
async def uncached(start_application):
    """A visitor of an instance that can't reach the cache."""
    return await start_application(redis={"url": "redis://127.0.0.1:1"})
