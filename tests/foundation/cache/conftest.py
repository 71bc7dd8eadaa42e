"""What tests of the cache ask for."""

import secrets

import pytest
from tests.foundation.cache.remembered import HeldPrefix, PassingTime, Records, Source, open_cache

from midrise.foundation.cache import reads


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


@pytest.fixture
def passing_time(monkeypatch):
    """What is remembered in processes grows old by this clock."""
    passing = PassingTime()
    monkeypatch.setattr(reads, "time", passing)
    return passing
