"""The embedded Valkey: a cache on a Unix socket, with nothing on disk."""

import asyncio
from pathlib import Path
from typing import ClassVar

from midrise.topology.binaries import find_valkey
from midrise.topology.component import Component
from midrise.topology.privileges import Account

SOCKET_NAME = "valkey.sock"


class Valkey(Component):
    """A Valkey server. Whatever it holds may be lost at any moment, so it persists nothing.

    ``folder`` is its working folder, ``sockets`` the private folder that gets its socket. Clients connect to
    ``url``.
    """

    start_limit_s: ClassVar[float] = 20
    stop_limit_s: ClassVar[float] = 5

    def __init__(
        self, folder: Path, *, sockets: Path, memory_mib: int = 256, account: Account | None = None
    ) -> None:
        super().__init__("valkey", account=account)
        self.folder = folder
        self.socket = sockets / SOCKET_NAME
        self.memory_mib = memory_mib

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    async def prepare(self) -> None:
        self.account.own(self.folder)
        self.account.own(self.socket.parent)
        self.clear()

    def command(self) -> list[str]:
        return [
            str(find_valkey()),
            *("--port", "0"),
            *("--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self.folder)),
            *("--save", "", "--appendonly", "no"),
            *("--maxmemory", f"{self.memory_mib}mb", "--maxmemory-policy", "allkeys-lru"),
            *("--daemonize", "no", "--logfile", ""),
        ]

    async def is_ready(self, pid: int) -> bool:  # noqa: ARG002  one that holds the socket is the one
        try:
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_unix_connection(str(self.socket))
                try:
                    writer.write(b"PING\r\n")
                    return (await reader.readline()).startswith(b"+PONG")
                finally:
                    writer.close()
                    await writer.wait_closed()
        except (OSError, TimeoutError):
            return False

    def clear(self) -> None:
        self.socket.unlink(missing_ok=True)
