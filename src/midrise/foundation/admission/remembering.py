"""How admission asks for what it doesn't remember: the shared cache, then the primary, once for all who ask."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from midrise.foundation.cache.reads import CachedReads, Glance, Reading
from midrise.foundation.database.positions import Consistency, consistency

Value = TypeVar("Value")


async def remembered(
    reads: CachedReads[Value], call: str, glance: Glance, ask: Callable[[], Awaitable[Value]]
) -> Value:
    """What is known under these generations. Raises what asking raises."""
    far = await reads.find_far(call, glance)
    if far is not None:
        return far

    async def read() -> Reading[Value]:
        # Admission's reads are nothing that the client is shown: they have a consistency of their own.
        request = Consistency()
        before = consistency.set(request)
        try:
            value = await ask()
        finally:
            consistency.reset(before)
        return Reading(value, request.xmin, request.next_xid)

    shared = await reads.read(call, glance, read)
    return shared if shared is not None else await ask()
