"""Waiting for what a test expects, and no longer."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

LONGEST_SECONDS = 20


async def until(is_so: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until it is so; a test that waits in vain fails."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while True:
        answer = is_so()
        if await answer if inspect.isawaitable(answer) else answer:
            return
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.002)
