"""A real nginx in front of small servers that answer, break off or disappear as a test wants it."""

import contextlib
import json
import re
import socket
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from midrise.topology.binaries import find_nginx
from midrise.topology.gateway import GatewaySettings, command, write_config

LIMIT_S = 10


@dataclass
class Request:
    """A request as it reached an instance."""

    method: str
    target: str
    headers: dict[str, list[str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = self.headers.get(name, [])
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


Answer = Callable[[Request], bytes | None]  # what to send for a request; None breaks the connection off


def make_response(
    body: bytes = b"{}", *, status: str = "200 OK", content_type: str = "application/json", **headers: str
) -> bytes:
    """An HTTP response as bytes; underscores in header names stand for hyphens."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def echo(request: Request) -> bytes:
    """The usual answer: what came."""
    seen = {
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "bytes": len(request.body),
    }
    return make_response(
        json.dumps(seen).encode(), X_Request_ID="the-instance-says-it-too", Server="secret/1.0"
    )


class Instance:
    """A server on a Unix socket in the place of an API instance; keeps its connections."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        self.answer: Answer = echo
        self.requests: list[Request] = []
        self.connections: list[socket.socket] = []
        self.accepted = 0
        self._server: socketserver.ThreadingUnixStreamServer | None = None

    def start(self) -> "Instance":
        self.path.unlink(missing_ok=True)
        self._server = _Server(str(self.path), self)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def stop(self) -> None:
        """Die as by SIGKILL: the socket's file stays, every connection breaks."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def seen(self) -> list[str]:
        return [f"{request.method} {request.target}" for request in self.requests]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, path: str, instance: Instance) -> None:
        self.instance = instance
        super().__init__(path, _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        instance = self.server.instance
        instance.connections.append(self.connection)
        instance.accepted += 1
        with contextlib.suppress(OSError):
            while request := self._read():
                instance.requests.append(request)
                answer = instance.answer(request)
                if answer is None:
                    return
                self.wfile.write(answer)
                if b"X-Then: break" in answer:
                    return

    def _read(self) -> Request | None:
        line = self.rfile.readline()
        if not line.endswith(b"\r\n"):
            return None
        method, target, _ = line.decode("latin-1").split(" ", 2)
        headers: dict[str, list[str]] = {}
        while (line := self.rfile.readline()) not in {b"\r\n", b""}:
            name, _, value = line.decode("latin-1").partition(":")
            headers.setdefault(name.lower(), []).append(value.strip())
        if headers.get("transfer-encoding") == ["chunked"]:
            return Request(method, target, headers, b"".join(self._chunks()))
        return Request(method, target, headers, self.rfile.read(int(headers.get("content-length", ["0"])[0])))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


@dataclass
class Gateway:
    """A running nginx."""

    settings: GatewaySettings
    nginx: Path
    process: subprocess.Popen[bytes]
    log: Path
    http: httpx.Client
    instances: list[Instance]

    @property
    def url(self) -> str:
        return f"http{'s' * bool(self.settings.tls_certificate)}://127.0.0.1:{self.settings.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.settings.port), timeout=LIMIT_S)

    def send(self, raw: bytes) -> bytes:
        """Send bytes as they are; returns all that comes back until nginx closes or one answer is complete."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(raw)
            return self.read(connection)

    @staticmethod
    def read(connection: socket.socket) -> bytes:
        """One response, with its body if it says how long that is; what there is if the connection closes."""
        received = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(65536):
                received += part
                head, _, body = received.partition(b"\r\n\r\n")
                length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
                if length and len(body) >= int(length[1]):
                    break
        return received

    @staticmethod
    def wait_for(condition):
        """What the condition gives once it is true."""
        end = time.monotonic() + LIMIT_S
        while not (value := condition()):
            assert time.monotonic() < end, "it took too long"
            time.sleep(0.01)
        return value

    def workers(self) -> set[int]:
        """The process numbers of nginx's workers, old ones among them."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def lines(self) -> list[dict[str, object]]:
        """The requests in the log."""
        text = self.log.read_text("utf-8")
        return [
            json.loads(line) for line in text.splitlines(keepends=True) if line.startswith("{") and "\n" in line
        ]

    def line(self, request_id: str) -> dict[str, object]:
        """The one line of a request, once it is there."""
        found = self.wait_for(lambda: [line for line in self.lines() if line["request_id"] == request_id])
        assert len(found) == 1
        return found[0]


@pytest.fixture(scope="session")
def response() -> Callable[..., bytes]:
    """Makes the bytes of an HTTP response."""
    return make_response


@pytest.fixture(scope="session")
def nginx() -> Path:
    return find_nginx()


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    return _free_port()


@pytest.fixture(scope="module")
def sockets() -> Iterator[Path]:
    """A folder whose name is short enough for Unix sockets."""
    with tempfile.TemporaryDirectory(prefix="midrise-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def running(nginx: Path, sockets: Path, *, count: int = 2, **settings: object) -> Iterator[Gateway]:
    """A gateway over ``count`` instances."""
    number = len(list(sockets.iterdir()))
    instances = [Instance(sockets / f"{number}-api.{each}.sock").start() for each in range(1, count + 1)]
    folder = sockets / f"{number}-gateway"
    folder.mkdir(mode=0o700)
    complete = GatewaySettings(
        folder=folder,
        sockets=sockets,
        host="127.0.0.1",
        port=_free_port(),
        instances=tuple(instance.path for instance in instances),
        **settings,
    )
    write_config(complete, nginx=nginx)
    log = folder / "gateway.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command(complete, nginx=nginx), stdout=output, stderr=output)
    http = httpx.Client(base_url=f"http://127.0.0.1:{complete.port}", trust_env=False)
    gateway = Gateway(complete, nginx, process, log, http, instances)
    try:
        gateway.wait_for(lambda: _accepts(gateway))
        yield gateway
    finally:
        http.close()
        process.terminate()
        process.wait(LIMIT_S)
        for instance in instances:
            instance.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _accepts(gateway: Gateway) -> bool:
    assert gateway.process.poll() is None, gateway.log.read_text()
    with contextlib.suppress(ConnectionError):
        gateway.connect().close()
        return True
    return False


@pytest.fixture(scope="module")
def shared_gateway(nginx: Path, sockets: Path) -> Iterator[Gateway]:
    with running(nginx, sockets) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: Gateway) -> Gateway:
    """The module's gateway over two instances that answer as usual and have seen nothing yet."""
    for instance in shared_gateway.instances:
        instance.answer = echo
        instance.requests.clear()
    return shared_gateway


@pytest.fixture
def start(nginx: Path, sockets: Path) -> Iterator[Callable[..., Gateway]]:
    """Starts gateways with settings of their own."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(nginx, sockets, **settings))
