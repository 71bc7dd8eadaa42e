"""Runs ASGI apps on uvicorn: one for clients, one inside the house, stopped together and gently."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.http.protocol import Protocol
from midrise.foundation.observability import metrics

# nginx keeps connections to us for 60 s: we keep them longer, so that it is never we who close one that
# nginx is about to send a request on.
_KEEP_ALIVE_SECONDS = 75
_GRACEFUL_SECONDS = 30
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a server listens: on a Unix socket, or on an address and port."""

    uds: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0


def run(serving: Coroutine[Any, Any, None]) -> None:
    """Run a server to its end, on uvloop. uvicorn would choose the loop only if it made it itself."""
    uvloop.run(serving)


async def serve(app: App, listener: Listener, *, beside: "InsideServer | None" = None) -> None:
    """Serve until SIGTERM or SIGINT; requests that were accepted are finished first."""
    server = _Server(_config(app, listener, lifespan="on"))
    _stop_by_signal(lambda: setattr(server, "should_exit", True))
    async with _running(beside):
        await server.serve()
    if not server.started:
        raise SystemExit(1)


class InsideServer:
    """`/metrics`, and what `/livez` and `/readyz` say, for those inside the house only."""

    def __init__(self, health: App, listener: Listener) -> None:
        self._health = health
        self._server = _Server(_config(self._answer, listener, lifespan="off"))

    @contextlib.asynccontextmanager
    async def running(self) -> Any:
        serving = asyncio.create_task(self._server.serve())
        try:
            yield
        finally:
            self._server.should_exit = True
            await serving

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/metrics":
            await self._health(scope, receive, send)
            return
        headers = [(b"content-type", metrics.CONTENT_TYPE.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": metrics.exposition(), "more_body": False})


async def work(run: Callable[[asyncio.Event], Awaitable[None]], *, beside: InsideServer | None = None) -> None:
    """Do something until SIGTERM or SIGINT sets the event that it is given."""
    stopping = asyncio.Event()
    _stop_by_signal(stopping.set)
    async with _running(beside):
        await run(stopping)


class _Server(uvicorn.Server):
    """uvicorn without its own handling of signals, which ends the process by the signal in the end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: App, listener: Listener, *, lifespan: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        uds=str(listener.uds) if listener.uds else None,
        host=listener.host,
        port=listener.port,
        loop="none",  # the one it is run on: see run()
        http=Protocol,
        interface="asgi3",  # its own guess takes a method for an app of ASGI 2
        ws="none",
        lifespan=lifespan,
        access_log=False,
        log_config=None,
        server_header=False,
        # Who the client is, is read by our own middleware, which knows whom to believe.
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        backlog=_BACKLOG,
    )


@contextlib.asynccontextmanager
async def _running(beside: InsideServer | None) -> Any:
    if beside is None:
        yield
        return
    async with beside.running():
        yield


def _stop_by_signal(stop: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
