"""Which API server costs less: CPU time of uvicorn and of Granian for the same answers of the same app.

Run it while `midrise up` runs on the same MIDRISE_HOME, with the servers' rate limit out of the way:

    pip install granian psutil
    python benchmarks/servers.py

Both serve on a Unix socket, as behind the gateway, one after the other and several times over. The time is the
processes' own (user and system), so it does not depend on what else the machine does; the median is shown, and
what the rounds spread over.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import uvloop

from midrise.settings import load_or_exit
from midrise.topology.postgres import PostgresPrimary
from midrise.topology.state import StateFolder
from midrise.topology.valkey import Valkey

PATHS = {"a bare answer": "/bare", "through the framework": "/livez", "with SQL": "/v1/products?limit=1"}
START_LIMIT_S = 30
BODY = b'{"status":"alive","padding":"' + b"x" * 160 + b'"}'


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--requests", type=int, default=10_000)
    arguments.add_argument("--connections", type=int, default=32)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    environment = os.environ | _servers_of_running_home() | {"MIDRISE_RATE_LIMIT": "off"}
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(given.rounds):
            for server, command in _commands(Path(folder) / "bench.sock").items():
                with _running(command, environment, Path(folder) / "bench.sock") as process:
                    for what, path in PATHS.items():
                        load = _load(
                            Path(folder) / "bench.sock",
                            path,
                            requests=given.requests,
                            connections=given.connections,
                        )
                        found.setdefault((what, server), []).append(_cpu_us(process, load, given.requests))
    _show(found)


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Midrise, and beside it one answer that costs nothing. Both servers import it from here."""
    if scope["type"] == "http" and scope["path"] == "/bare":
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})
        return
    await _midrise()(scope, receive, send)


_made: list[Any] = []


def _midrise() -> Any:
    if not _made:
        from midrise.app import create_application
        from midrise.foundation.observability import logs

        settings = load_or_exit()
        logs.configure(process="bench", level=settings.log.level)
        _made.append(create_application(settings, process="bench"))
    return _made[0]


def _servers_of_running_home() -> dict[str, str]:
    settings = load_or_exit()
    state = StateFolder(settings.home.absolute())
    if not state.is_locked():
        sys.exit("Start Midrise first: midrise up --detach")
    return {
        "MIDRISE_DATABASE_URL": PostgresPrimary(state.postgres / "primary", sockets=state.sockets).url,
        "MIDRISE_REDIS_URL": Valkey(state.valkey, sockets=state.sockets).url,
        "MIDRISE_MASTER_SECRET_FILE": str(state.master_secret),
    }


def _commands(socket: Path) -> dict[str, list[str]]:
    python, here = sys.executable, str(Path(__file__).parent)
    uvicorn = [*("--loop", "uvloop", "--http", "httptools", "--interface", "asgi3", "--no-access-log")]
    granian = [*("--loop", "uvloop", "--interface", "asgi", "--workers", "1", "--no-ws", "--http", "1")]
    return {
        "uvicorn": [
            *(python, "-m", "uvicorn", "servers:app", "--app-dir", here, "--uds", str(socket)),
            *uvicorn,
        ],
        "granian": [
            *(python, "-m", "granian", "servers:app", "--working-dir", here, "--uds", str(socket)),
            *granian,
        ],
    }


@contextmanager
def _running(command: list[str], environment: dict[str, str], socket: Path) -> Iterator[psutil.Process]:
    socket.unlink(missing_ok=True)
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as started:
        try:
            _wait_for(socket)
            yield psutil.Process(started.pid)
        finally:
            started.terminate()


def _wait_for(socket: Path) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit:
        try:
            asyncio.run(_send(socket, "/livez", requests=1))
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit("A server did not start")


def _cpu_us(process: psutil.Process, load: Any, requests: int) -> float:
    """CPU of the server's processes while the load runs, in microseconds for each request."""
    before = _seconds(process)
    uvloop.run(load)
    return (_seconds(process) - before) / requests * 1e6


def _seconds(process: psutil.Process) -> float:
    family = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in family)


async def _load(socket: Path, path: str, *, requests: int, connections: int) -> None:
    each = requests // connections
    await asyncio.gather(*(_send(socket, path, requests=each) for _ in range(connections)))


async def _send(socket: Path, path: str, *, requests: int) -> None:
    """One request after the other on one connection; each must be answered with 200."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    question = f"GET {path} HTTP/1.1\r\nHost: bench\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n".encode()
    for _ in range(requests):
        writer.write(question)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"{path} was not answered with 200: {head[:60]!r}")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
    writer.close()
    await writer.wait_closed()


def _show(found: dict[tuple[str, str], list[float]]) -> None:
    print(f"{'CPU of the server, µs a request':<34}{'uvicorn':>18}{'granian':>18}{'granian/uvicorn':>18}")
    for what in PATHS:
        uvicorn, granian = found[what, "uvicorn"], found[what, "granian"]
        ratio = statistics.median(granian) / statistics.median(uvicorn)
        print(f"{what:<34}{_spread(uvicorn):>18}{_spread(granian):>18}{ratio:>18.2f}")


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"


if __name__ == "__main__":
    main()
