"""What the cache client needs to know."""

from dataclasses import dataclass

from midrise.foundation.cache.endpoint import CacheEndpoint


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """Where the cache is, who we are to it, and how long a request may wait for it.

    `call_budget_seconds` bounds a whole call, connecting included. After a failure the cache is left alone for
    `rest_seconds`; then one call tries again while the others go on without it.
    """

    endpoint: CacheEndpoint
    process: str
    connect_budget_seconds: float = 0.1
    call_budget_seconds: float = 0.2
    rest_seconds: float = 0.5
