"""Servers outside the topology."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from tests.topology.house import free_port

from midrise.topology.outside import first_unreachable


@pytest.fixture
def open_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def unreachable(*urls: str) -> str | None:
    return asyncio.run(first_unreachable(urls))


def test_a_server_that_takes_connections_is_reachable(open_port: int) -> None:
    assert unreachable(f"postgresql://me:secret@127.0.0.1:{open_port}/shop") is None
    assert unreachable(f"redis://127.0.0.1:{open_port}/0") is None


def test_one_that_does_not_is_named_without_its_secrets() -> None:
    port = free_port()
    assert unreachable(f"postgresql://me:secret@127.0.0.1:{port}/shop") == f"127.0.0.1:{port}"


def test_one_of_several_hosts_is_enough(open_port: int) -> None:
    closed = free_port()
    assert unreachable(f"postgresql://me@127.0.0.1:{closed},127.0.0.1:{open_port}/shop") is None
    assert unreachable(f"postgresql://me@/shop?host=127.0.0.1:{closed},127.0.0.1:{open_port}") is None


@pytest.mark.parametrize(
    "url", ["unix:///run/valkey.sock", "postgresql:///shop?host=/run/postgresql", "odd:thing"]
)
def test_what_is_no_address_of_a_network_is_left_to_who_connects(url: str) -> None:
    assert unreachable(url) is None
