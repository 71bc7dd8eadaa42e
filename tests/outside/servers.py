"""The distribution's own PostgreSQL and Redis, as an operator would have them: by TCP, with passwords.

Nothing of the topology's servers is used here, so that what is proved does not rest on how they are set up. The
database's own collation is ICU's for Bengali: an order that comes from it would differ from the embedded one's.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.topology.house import free_port, wait_for

from midrise.topology.privileges import server_account

PASSWORD = "outside-42"
POSTGRES_FOLDER = Path("/usr/lib/postgresql/15/bin")
REDIS = "redis-server"
FIRST_SQL = (f"CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'", "CREATE DATABASE shop OWNER shop")


@dataclass(frozen=True)
class OutsideServers:
    """Where they are, as Midrise's settings say it."""

    database_url: str
    replica_url: str
    redis_url: str

    def settings(self) -> dict[str, str]:
        return {
            "MIDRISE_DATABASE_URL": self.database_url,
            "MIDRISE_REPLICA_URLS": self.replica_url,
            "MIDRISE_REDIS_URL": self.redis_url,
        }


def missing_programs() -> list[str]:
    """What has to be installed before these servers can be started."""
    needed = [*(POSTGRES_FOLDER / program for program in ("postgres", "initdb", "pg_basebackup")), REDIS]
    return [str(program) for program in needed if shutil.which(program) is None]


@contextlib.contextmanager
def outside_servers() -> Iterator[OutsideServers]:
    """A primary, a replica that streams from it, and a cache; gone after the block."""
    with tempfile.TemporaryDirectory(prefix="midrise-outside-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        server_account().own(folder)
        primary, replica, redis = free_port(), free_port(), free_port()
        _make_primary(folder)
        stack.enter_context(_postgres(folder, "primary", port=primary))
        for statement in FIRST_SQL:
            _program("psql", "-X", "-d", _superuser(primary), "-v", "ON_ERROR_STOP=1", "-c", statement)
        _program("pg_basebackup", "-R", "-c", "fast", "-D", str(folder / "replica"), "-d", _superuser(primary))
        stack.enter_context(_postgres(folder, "replica", port=replica))
        stack.enter_context(_redis(folder, port=redis))
        yield OutsideServers(
            database_url=f"postgresql://shop:{PASSWORD}@127.0.0.1:{primary}/shop?sslmode=prefer",
            replica_url=f"postgresql://shop:{PASSWORD}@127.0.0.1:{replica}/shop",
            redis_url=f"redis://:{PASSWORD}@127.0.0.1:{redis}/0",
        )


def _make_primary(folder: Path) -> None:
    password = folder / "password"
    server_account().write(password, PASSWORD)
    _program(
        "initdb",
        *("-D", str(folder / "primary"), "--username=postgres", f"--pwfile={password}"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"),
        *("--locale-provider=icu", "--icu-locale=bn-BD"),
    )


@contextlib.contextmanager
def _postgres(folder: Path, name: str, *, port: int) -> Iterator[None]:
    settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"]
    options = [part for setting in settings for part in ("-c", setting)]
    with _server([POSTGRES_FOLDER / "postgres", "-D", folder / name, *options], port=port):
        wait_for(lambda: _answers(port))
        yield


@contextlib.contextmanager
def _redis(folder: Path, *, port: int) -> Iterator[None]:
    address = ("--bind", "127.0.0.1", "--port", str(port), "--requirepass", PASSWORD)
    with _server([REDIS, *address, "--dir", folder, "--save", "", "--daemonize", "no"], port=port):
        yield


@contextlib.contextmanager
def _server(command: Sequence[str | Path], *, port: int) -> Iterator[None]:
    with subprocess.Popen(_as_server(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: _takes_connections(port) or server.poll() is not None)
            assert server.poll() is None, f"{command[0]} ended with {server.returncode}"
            yield
        finally:
            server.terminate()


def _program(name: str, *arguments: str) -> None:
    ended = subprocess.run(
        _as_server([POSTGRES_FOLDER / name, *arguments]), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def _as_server(command: Sequence[str | Path]) -> list[str]:
    """The command as the user that servers run as: PostgreSQL refuses to be root."""
    account = server_account()
    words = [*account.prefix, *map(str, command)]
    if account.user_id is None:
        return words
    return ["setpriv", f"--reuid={account.user_id}", f"--regid={account.group_id}", "--clear-groups", *words]


def _superuser(port: int) -> str:
    return f"host=127.0.0.1 port={port} user=postgres password={PASSWORD} dbname=postgres"


def _answers(port: int) -> bool:
    asked = subprocess.run(
        [POSTGRES_FOLDER / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)], check=False, env=os.environ
    )
    return asked.returncode == 0


def _takes_connections(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
