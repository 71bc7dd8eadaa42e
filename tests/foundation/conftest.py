"""Servers for tests that break them, and one that lies."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from midrise.topology.binaries import find_valkey

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ValkeyServer:
    """A Valkey on a Unix socket and a TCP port that a test may stop, freeze and start again."""

    def __init__(self, folder: Path, *options: str, sentinel_config: str | None = None) -> None:
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self.port = free_port()
        arguments = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder), *options]
        if sentinel_config is None:
            arguments += ["--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        else:
            config = folder / "sentinel.conf"
            config.write_text(sentinel_config)
            arguments = [str(config), "--sentinel", *arguments]
        self._command = [str(find_valkey()), *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not answers(self.port):
            assert self._process.poll() is None, "valkey-server ended at once"
            assert time.monotonic() < deadline, "valkey-server does not answer"
            time.sleep(0.005)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return bool(connection.recv(64))
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A private folder with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="midrise-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def valkey_url(shared_valkey_url: str) -> str:
    """The URL of a running Valkey that all tests share: each uses keys of its own."""
    return shared_valkey_url


@pytest.fixture
def start_valkey(short_folder: Path) -> Iterator[Callable[..., ValkeyServer]]:
    """Starts servers that the test may break; given options go to valkey-server."""
    servers: list[ValkeyServer] = []

    def start(*options: str, sentinel_config: str | None = None) -> ValkeyServer:
        folder = short_folder / secrets.token_hex(4)
        folder.mkdir()
        server = ValkeyServer(folder, *options, sentinel_config=sentinel_config)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def fake_server() -> Callable[[Talk], contextlib.AbstractAsyncContextManager[str]]:
    """Opens a server that does to each connection what the test says, and gives its URL."""
    return open_fake_server


@contextlib.asynccontextmanager
async def open_fake_server(talk: Talk) -> AsyncIterator[str]:
    tasks: set[asyncio.Task[None]] = set()

    async def talk_to_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(talk_to_one, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
