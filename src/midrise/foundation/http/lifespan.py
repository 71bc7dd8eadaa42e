"""An ASGI app with a beginning and an end."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from midrise.foundation.errors import AppError
from midrise.foundation.http.asgi import App, Begin, Receive, Scope, Send
from midrise.foundation.http.operations import Health

log = structlog.get_logger()

Step = Callable[[], Awaitable[object]]

_START_AGAIN_SECONDS = 1.0
_OBJECTS_BEFORE_COLLECTION = 10_000


class LivingApp:
    """Loads what requests need before the first one, and gives everything back after the last.

    Where a floor below is away at the start, the server starts all the same, answers 503 where it must, and
    goes on trying.
    """

    def __init__(self, http: App, *, health: Health, starts: Sequence[Step], stops: Sequence[Step]) -> None:
        self._http = http
        self.begin: Begin | None = getattr(http, "begin", None)
        self._health = health
        self._starts = starts
        self._stops = stops
        self._starting: asyncio.Task[None] | None = None

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http":
            return self._http(scope, receive, send)
        if scope["type"] == "lifespan":
            return self._live(receive, send)
        # No operation speaks WebSocket: the handshake is refused.
        return send({"type": "websocket.close", "code": 1000})

    async def start(self) -> None:
        """Run every start; what fails for a floor that is away is tried again in the background."""
        try:
            await self._run_starts()
        except AppError:
            log.warning("start.waiting", reason="the database is away")
            self._starting = asyncio.create_task(self._start_when_possible())

    async def stop(self) -> None:
        """Stop trying to start, and run every stop."""
        self._health.is_stopping = True
        if self._starting is not None:
            self._starting.cancel()
        for stop in self._stops:
            await stop()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            log.exception("start.failed")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        _settle_memory()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _run_starts(self) -> Any:
        for start in self._starts:
            await start()

    async def _start_when_possible(self) -> None:
        while True:
            await asyncio.sleep(_START_AGAIN_SECONDS)
            try:
                await self._run_starts()
            except AppError:
                continue
            except Exception:
                # Such as keys that another master secret has sealed: the log says so until somebody helps.
                log.exception("start.failed")
                continue
            log.info("start.complete")
            return


def _settle_memory() -> None:
    """Have the collector pass over what the start has made, which stays: looking through it again and again
    took a fifth of all the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BEFORE_COLLECTION, 20, 50)
