"""How commands of another terminal reach the supervisor: a Unix socket, JSON lines, an order a connection."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from midrise.topology.errors import Refused
from midrise.topology.events import Done, Event, Failed, Status, Tell, decode, encode

STATUS_LIMIT_S = 10
CLOSE_LIMIT_S = 2


class AskStatus(msgspec.Struct, frozen=True, tag=True):
    """What runs?"""


class Scale(msgspec.Struct, frozen=True, tag=True):
    """Run so many API instances."""

    api: int


class Restart(msgspec.Struct, frozen=True, tag=True):
    """Replace instances and worker, without a failed request."""


class Promote(msgspec.Struct, frozen=True, tag=True):
    """Make a replica of the embedded database the primary."""

    name: str


class Down(msgspec.Struct, frozen=True, tag=True):
    """Stop everything."""


Order = AskStatus | Scale | Restart | Promote | Down
Obey = Callable[[Order, Tell], Awaitable[None]]
"""Does what is ordered and tells of it; raises Refused."""


class ControlServer:
    """The supervisor's end."""

    def __init__(self, path: Path, obey: Obey) -> None:
        self._path = path
        self._obey = obey
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, str(self._path))
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Take no more orders; the answers under way are finished."""
        if self._server:
            self._server.close()
        if self._serving:
            await asyncio.wait(self._serving, timeout=CLOSE_LIMIT_S)
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._answer(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        await task

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(event: Event) -> None:
            if not writer.is_closing():
                writer.write(encode(event))

        try:
            await self._obey(msgspec.json.decode(await reader.readline(), type=Order), tell)
        except (Refused, msgspec.MsgspecError) as trouble:
            tell(Failed(str(trouble)))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def give(order: Order, path: Path, *, home: Path, limit_s: float | None = None) -> Iterator[Event]:
    """Give an order to the supervisor and follow what it tells, to the end.

    Raises Refused when no supervisor listens, when it refuses, or when it says nothing for ``limit_s``.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(limit_s)
        try:
            connection.connect(str(path))
            connection.sendall(msgspec.json.encode(order) + b"\n")
            with connection.makefile("rb") as lines:
                yield from _until_done(lines)
        except TimeoutError:
            raise Refused(f"The supervisor of {home} gives no answer: see midrise logs supervisor") from None
        except msgspec.MsgspecError:
            raise Refused(f"The supervisor of {home} is of another version of Midrise: use that one") from None
        except OSError:
            raise Refused(f"Midrise doesn't run on {home}: start it with midrise up") from None


def ask_status(path: Path, *, home: Path) -> Status:
    """What runs now; raises Refused when nothing does."""
    events = give(AskStatus(), path, home=home, limit_s=STATUS_LIMIT_S)
    return next(event for event in events if isinstance(event, Status))


def _until_done(lines: Iterable[bytes]) -> Iterator[Event]:
    for line in lines:
        event = decode(line)
        if isinstance(event, Failed):
            raise Refused(event.reason)
        yield event
        if isinstance(event, Done):
            return
    raise Refused("The supervisor ended before it was done: see midrise logs supervisor")
