"""Asking whether a server is ready, and whether one could listen."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.topology.house import free_port

from midrise.topology.errors import Refused
from midrise.topology.probe import answers_on_socket, connects, refuse_taken_port, speaks_http


@contextmanager
def answering(server: socket.socket, answer: bytes) -> Iterator[None]:
    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)

    with server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


@pytest.fixture
def path(folder: Path) -> Path:
    return folder / "s"


def listen(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


@pytest.mark.parametrize(
    ("answer", "is_ready"),
    [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False), (b"", False)],
)
def test_only_200_on_the_socket_is_ready(path: Path, answer: bytes, is_ready) -> None:
    with answering(listen(path), answer):
        assert asyncio.run(answers_on_socket(path, "/readyz")) is is_ready


def test_nobody_on_the_socket_is_not_ready(path: Path) -> None:
    assert not asyncio.run(answers_on_socket(path, "/readyz"))


def test_a_gateway_that_answers_503_speaks_http_all_the_same() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    with answering(server, b"HTTP/1.1 503 Service Unavailable\r\n\r\n"):
        assert asyncio.run(speaks_http("0.0.0.0", port, tls=False))
    assert not asyncio.run(speaks_http("0.0.0.0", port, tls=False))


def test_a_port_that_takes_connections_connects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert asyncio.run(connects("127.0.0.1", server.getsockname()[1], limit_s=5))
    assert not asyncio.run(connects("127.0.0.1", free_port(), limit_s=5))


def test_a_taken_port_is_refused_and_a_free_one_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Refused, match="set MIDRISE_PORT"):
        refuse_taken_port("127.0.0.1", server.getsockname()[1])
    refuse_taken_port("127.0.0.1", free_port())


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_an_address_that_is_not_this_machine_s_is_refused(host: str) -> None:
    with pytest.raises(Refused, match=f"MIDRISE_HOST {host} is not an address of this machine"):
        refuse_taken_port(host, free_port())
