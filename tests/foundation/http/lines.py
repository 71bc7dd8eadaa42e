"""Lines between clients and servers that a test can cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Line:
    """Goes between clients and a server; it can be cut, or swallow everything, until it is mended."""

    def __init__(self, connect: Callable[[], Awaitable[Ends]]) -> None:
        self._connect = connect
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_cut = False
        self.delay_seconds = 0.0
        """How much later everything arrives."""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await self._connect()
        self._writers |= {writer, up_writer}
        for source, target in ((reader, up_writer), (up_reader, writer)):
            task = asyncio.create_task(self._pump(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._is_cut:
            self.cut()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # uvloop raises RuntimeError where the other end was closed just now.
        with contextlib.suppress(OSError, RuntimeError):
            while chunk := await reader.read(65_536):
                await asyncio.sleep(self.delay_seconds)
                await self._flows.wait()
                writer.write(chunk)
                await writer.drain()
        with contextlib.suppress(OSError, RuntimeError):
            writer.close()
            await writer.wait_closed()
        self._writers.discard(writer)

    def cut(self) -> None:
        self._is_cut = True
        for writer in self._writers:
            with contextlib.suppress(RuntimeError):  # it was closed by the other end just now
                writer.transport.abort()

    def swallow(self) -> None:
        self._flows.clear()

    def mend(self) -> None:
        self._is_cut = False
        self._flows.set()

    async def close(self) -> None:
        self.cut()
        self._flows.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def line_to_cache(port: int) -> AsyncIterator[tuple[Line, str]]:
    """A line to a Valkey, and its URL."""
    line = Line(lambda: asyncio.open_connection("127.0.0.1", port))
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    try:
        yield line, f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await line.close()


@contextlib.asynccontextmanager
async def line_to_database(sockets: Path, folder: Path) -> AsyncIterator[Line]:
    """A line to PostgreSQL, with a socket in another folder."""
    line = Line(lambda: asyncio.open_unix_connection(str(sockets / ".s.PGSQL.5432")))
    server = await asyncio.start_unix_server(line.carry, str(folder / ".s.PGSQL.5432"))
    try:
        yield line
    finally:
        server.close()
        await line.close()
