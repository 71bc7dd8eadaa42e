"""What tests of the cache ask for."""

import secrets

import pytest
from tests.foundation.cache.remembered import HeldPrefix, Records, Source, open_cache


@pytest.fixture
async def records(valkey_url):
    cache = open_cache(valkey_url)
    yield Records(cache, HeldPrefix())
    await cache.close()


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def call():
    return f"thing {secrets.token_hex(8)}"
