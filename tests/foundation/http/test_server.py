"""The server tells its metrics inside only, and finishes what it accepted before it ends."""

import asyncio
import contextlib
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.foundation.waiting import until

from midrise.foundation.http.server import Listener, _config

pytestmark = pytest.mark.anyio

PROGRAM = """
import asyncio
import sys
from pathlib import Path

from midrise.foundation.http.lifespan import LivingApp
from midrise.foundation.http.operations import Health
from midrise.foundation.http.server import InsideServer, Listener, run, serve

folder = Path(sys.argv[1])

async def answer(scope, receive, send):
    if scope["path"] == "/slow":
        (folder / "begun").touch()
        while not (folder / "release").exists():
            await asyncio.sleep(0.005)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    loop = type(asyncio.get_running_loop()).__module__
    body = loop if scope["path"] == "/loop" else repr(scope["client"])
    await send({"type": "http.response.body", "body": body.encode()})

async def load():
    if (folder / "broken").exists():
        raise ValueError("broken seal")

async def close():
    (folder / "closed").touch()

app = LivingApp(answer, health=Health({}), starts=[load], stops=[close])
inside = InsideServer(app, Listener(uds=folder / "inside.sock"))
run(serve(app, Listener(uds=folder / "api.sock"), beside=inside))
"""


class RunningServer:
    """A server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: asyncio.subprocess.Process

    async def start(self) -> None:
        out = asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, str(self.folder), stdout=out, stderr=out
        )

    def client(self, socket: str = "api.sock") -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(uds=str(self.folder / socket))
        return httpx.AsyncClient(transport=transport, base_url="http://test")

    async def answers(self) -> bool:
        try:
            async with self.client() as client:
                return (await client.get("/")).status_code == 200
        except httpx.TransportError:
            return False

    async def accepts(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.folder / "api.sock")
        except OSError:
            return False
        writer.close()
        return True


@contextlib.asynccontextmanager
async def server_in(short_folder: Path) -> AsyncIterator[RunningServer]:
    folder = short_folder / secrets.token_hex(4)
    folder.mkdir()
    server = RunningServer(folder)
    try:
        yield server
    finally:
        if server.process.returncode is None:
            server.process.kill()
        await server.process.wait()


@pytest.fixture
async def server(short_folder: Path) -> AsyncIterator[RunningServer]:
    """A server that is still to be started, for the test alone."""
    async with server_in(short_folder) as server:
        yield server


@pytest.fixture(scope="module")
async def started(short_folder: Path, anyio_backend: object) -> AsyncIterator[RunningServer]:
    """A running server that every test may ask, and none may end."""
    async with server_in(short_folder) as server:
        await server.start()
        await until(server.answers)
        yield server


async def test_a_server_runs_on_uvloop(started):
    async with started.client() as client:
        assert (await client.get("/loop")).text == "uvloop"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_was_accepted_is_finished(server, number):
    await server.start()
    await until(server.answers)
    async with server.client() as client:
        slow = asyncio.create_task(client.get("/slow"))
        await until((server.folder / "begun").exists)
        server.process.send_signal(number)
        await until(lambda: no_longer(server.accepts))
        assert not slow.done()
        assert server.process.returncode is None
        (server.folder / "release").touch()
        assert (await slow).status_code == 200
    assert await server.process.wait() == 0
    assert (server.folder / "closed").exists()


async def test_metrics_are_told_inside_only(started):
    async with started.client() as outside, started.client("inside.sock") as inside:
        told = await inside.get("/metrics")
        assert told.headers["content-type"].startswith("text/plain")
        assert "midrise_requests_in_progress" in told.text
        assert "midrise" not in (await outside.get("/metrics")).text
        assert (await inside.get("/readyz")).status_code == 200


async def test_nothing_is_told_of_the_server(started):
    async with started.client() as client:
        answer = await client.get("/")
    assert "server" not in answer.headers
    assert answer.text == "None", "who the client is, only a trusted gateway can say"


@pytest.mark.parametrize("nonsense", [b"nonsense\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"])
async def test_what_is_no_http_is_refused_in_the_one_format(started, nonsense):
    reader, writer = await asyncio.open_unix_connection(started.folder / "api.sock")
    writer.write(nonsense)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n")
    assert b'"code":"bad_request"' in body


async def test_a_start_that_fails_ends_the_process(server):
    (server.folder / "broken").touch()
    await server.start()
    assert await server.process.wait() not in {0, None}


def test_an_idle_connection_is_kept_longer_than_the_gateway_keeps_it():
    config = _config(None, Listener(), lifespan="off")
    assert config.timeout_keep_alive > 60


async def no_longer(is_so) -> bool:
    return not await is_so()
