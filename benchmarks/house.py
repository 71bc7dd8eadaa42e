"""A Midrise of the benchmark's own: in a temporary folder, on a free port, kept on cores of its own."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from processes import Cores

from midrise.topology.postgres import PostgresPrimary
from midrise.topology.state import StateFolder
from midrise.topology.valkey import Valkey

ADMINISTRATOR = "owner@midrise.test"
PASSWORD = "three green boats at dawn"  # noqa: S105  of a house that lives for minutes
HASH_COST = 4
"""bcrypt's least: what the log-in takes beside the hash is asked for."""
UNREACHED_LIMIT = "60000000/60"
"""The limiter counts every request, and refuses none."""
COMMAND_LIMIT_S = 900


@dataclass(frozen=True, slots=True)
class House:
    """What runs, and how to reach it."""

    home: Path
    port: int
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_socket(self) -> Path:
        """That of one API instance."""
        return self._state.sockets / "api.1.sock"

    @property
    def database_url(self) -> str:
        return PostgresPrimary(self._state.postgres / "primary", sockets=self._state.sockets).url

    @property
    def cache_url(self) -> str:
        return Valkey(self._state.valkey, sockets=self._state.sockets).url

    def pids(self) -> dict[str, int]:
        """Every process by its name."""
        status = json.loads(self.midrise("status", "--json"))
        return {process["name"]: process["pid"] for process in status["processes"]}

    def pids_of_api(self) -> list[int]:
        return [pid for name, pid in self.pids().items() if name.startswith("api.")]

    def midrise(self, *arguments: str) -> str:
        """Run a command to its end. Returns what it printed."""
        ended = subprocess.run(
            [sys.executable, "-m", "midrise", *arguments],
            env=self.environment,
            cwd=self.home.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_LIMIT_S,
        )
        if ended.returncode != 0:
            raise RuntimeError(f"midrise {' '.join(arguments)} failed: {ended.stdout}{ended.stderr}")
        return ended.stdout

    def metrics(self) -> list[str]:
        """What all instances say to Prometheus, a line each."""
        lines: list[str] = []
        for path in sorted(self._state.sockets.glob("api.*.internal.sock")):
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path))) as client:
                lines += client.get("http://inside/metrics").text.splitlines()
        return lines

    def sql(self, statement: str) -> list[Any]:
        """The rows that the primary answers."""

        async def ask() -> list[Any]:
            connection = await asyncpg.connect(self.database_url)
            try:
                return list(await connection.fetch(statement))
            finally:
                await connection.close()

        return asyncio.run(ask())

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=60)

    def token(self, email: str = ADMINISTRATOR) -> str:
        """An access token of a fresh session."""
        with self.client() as client:
            answer = client.post("/v1/auth/login", json={"email": email, "password": PASSWORD})
        return str(_good(answer)["access_token"])

    def pin(self, cores: Cores) -> None:
        """Give the API servers the server's core, and every other process another one."""
        for name, pid in self.pids().items():
            cores.pin(pid, cores.server if name.startswith("api.") else cores.others)

    @property
    def _state(self) -> StateFolder:
        return StateFolder(self.home)


@contextmanager
def raised() -> Iterator[House]:
    """The whole, as `midrise up` raises it without any setting; after the block nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="midrise-bench-") as folder:
        home, port = Path(folder) / "home", _free_port()
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("MIDRISE_")}
        settings = {
            "MIDRISE_HOME": str(home),
            "MIDRISE_PORT": str(port),
            "MIDRISE_ADMIN_EMAIL": ADMINISTRATOR,
            "MIDRISE_ADMIN_PASSWORD": PASSWORD,
            "MIDRISE_PASSWORD_COST": str(HASH_COST),
            "MIDRISE_RATE_LIMIT": UNREACHED_LIMIT,
        }
        house = House(home, port, inherited | settings)
        try:
            house.midrise("up", "--detach")
            yield house
        finally:
            subprocess.run(
                [sys.executable, "-m", "midrise", "down"],
                env=house.environment,
                cwd=folder,
                capture_output=True,
                check=False,
                timeout=COMMAND_LIMIT_S,
            )


def register(house: House, count: int) -> list[str]:
    """Make that many accounts. Returns their addresses."""
    emails = [f"caller-{number}@midrise.test" for number in range(count)]
    with house.client() as client:
        for email in emails:
            body = {"email": email, "password": PASSWORD, "name": "Caller"}
            _good(client.post("/v1/auth/register", json=body))
    return emails


def _good(answer: httpx.Response) -> Any:
    if not answer.is_success:
        raise RuntimeError(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}"
        )
    return answer.json()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
