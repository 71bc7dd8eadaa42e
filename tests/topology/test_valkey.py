"""A real Valkey on a socket."""

import os
import signal
import socket
from pathlib import Path

from midrise.topology.background import running
from midrise.topology.valkey import Valkey


def ask(valkey: Valkey, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(valkey.socket))
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(4096).decode()


def test_it_answers_on_its_socket_alone_and_keeps_nothing_on_disk(folder: Path) -> None:
    valkey = Valkey(folder / "valkey", sockets=folder / "s")
    with running(valkey, logs=folder / "logs"):
        assert ask(valkey, "PING") == "+PONG\r\n"
        assert ask(valkey, "CONFIG GET port").split() == ["*2", "$4", "port", "$1", "0"]
        assert ask(valkey, "SET a 1") == "+OK\r\n"
    assert list(valkey.folder.iterdir()) == []
    assert list(valkey.socket.parent.iterdir()) == []


def test_the_socket_of_a_killed_one_is_no_obstacle(folder: Path) -> None:
    valkey = Valkey(folder / "valkey", sockets=folder / "s")
    with running(valkey, logs=folder / "logs") as pids:
        os.kill(pids["valkey"], signal.SIGKILL)
    valkey.socket.touch()
    with running(valkey, logs=folder / "logs"):
        assert ask(valkey, "PING") == "+PONG\r\n"
