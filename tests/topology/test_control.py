"""Orders from another terminal."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from midrise.topology.control import AskStatus, ControlServer, Obey, Order, Restart, Scale, ask_status, give
from midrise.topology.errors import Refused
from midrise.topology.events import Began, Done, Status, Tell


@contextmanager
def obeying(path: Path, obey: Obey) -> Iterator[None]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = ControlServer(path, obey)
    asyncio.run_coroutine_threadsafe(server.open(), loop).result()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(server.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def usual(order: Order, tell: Tell) -> None:
    match order:
        case AskStatus():
            tell(Status("http://here", ready=True, processes=()))
        case Scale(api=count):
            tell(Began("api", f"to {count}"))
        case _:
            raise Refused("Not today")
    tell(Done("well"))


@pytest.fixture
def path(folder: Path) -> Iterator[Path]:
    path = folder / "control.sock"
    with obeying(path, usual):
        yield path
    assert not path.exists()


def test_what_is_told_arrives_in_order(path: Path) -> None:
    assert list(give(Scale(4), path, home=path)) == [Began("api", "to 4"), Done("well")]


def test_the_status_is_asked_for_in_one_call(path: Path) -> None:
    assert ask_status(path, home=path) == Status("http://here", ready=True, processes=())


def test_a_refusal_arrives_as_its_sentence(path: Path) -> None:
    with pytest.raises(Refused, match="Not today"):
        list(give(Restart(), path, home=path))


def test_only_the_owner_may_give_orders(path: Path) -> None:
    assert path.stat().st_mode & 0o077 == 0


def test_an_order_that_nobody_understands_does_no_harm(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"nonsense\n")
        assert b"Failed" in connection.recv(4096)
    assert ask_status(path, home=path).ready


def test_where_nobody_listens_it_says_so(folder: Path) -> None:
    with pytest.raises(Refused, match="Midrise doesn't run on"):
        list(give(Restart(), folder / "none.sock", home=folder))


def test_a_supervisor_that_dies_meanwhile_is_told(folder: Path) -> None:
    path = folder / "control.sock"

    def answer_half(server: socket.socket) -> None:
        connection, _ = server.accept()
        connection.recv(4096)
        connection.close()

    with dying_server(path, answer_half), pytest.raises(Refused, match="ended before it was done"):
        list(give(Restart(), path, home=folder))


@contextmanager
def dying_server(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        yield
        thread.join()
