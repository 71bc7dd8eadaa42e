"""Does several things side by side, of which the first that is refused ends the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from midrise.topology.errors import Refused


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks; when one raises Refused, the rest are cancelled and that one is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* Refused as refusals:
        raise _first(refusals) from None


def _first(refusals: BaseExceptionGroup[Refused]) -> Refused:
    found: Any = refusals
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, Refused) else Refused(str(found))
