"""The cache: a Valkey or Redis by URL, which may be lost at any moment."""

from midrise.foundation.cache.client import CacheUnavailable, Script, ValkeyCache
from midrise.foundation.cache.endpoint import CacheEndpoint, CacheUrlRefused
from midrise.foundation.cache.settings import CacheSettings

__all__ = [
    "CacheEndpoint",
    "CacheSettings",
    "CacheUnavailable",
    "CacheUrlRefused",
    "Script",
    "ValkeyCache",
]
