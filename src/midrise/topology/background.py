"""Runs components from ordinary, synchronous code: in a thread with an event loop of its own.

    with running(PostgresPrimary(folder, sockets=sockets), logs=logs) as processes:
        processes["postgres.primary"]        # its process number

Started in the order given, each awaited until ready; stopped in the reverse order, also after an error.
Nothing restarts one that dies: that is the supervisor's work.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from midrise.topology.child import Child
from midrise.topology.component import Component


@contextmanager
def running(*components: Component, logs: Path) -> Iterator[Mapping[str, int]]:
    """Components that are ready inside the block, and gone after it. Gives their process numbers by name."""
    logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="topology", daemon=True)
    thread.start()
    children = [Child(component, logs=logs) for component in components]
    try:
        yield asyncio.run_coroutine_threadsafe(_start(children), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(_stop(children), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(children: list[Child]) -> Mapping[str, int]:
    pids = {}
    for child in children:
        pids[child.component.name] = await child.start()
        await child.ready()
    return pids


async def _stop(children: list[Child]) -> None:
    for child in reversed(children):
        await child.stop()
