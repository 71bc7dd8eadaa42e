"""Drives a topology as a person would: by the command line and over HTTP."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import psutil

from midrise.topology.binaries import find_postgres
from midrise.topology.control import Order, ask_status, give
from midrise.topology.events import Event
from midrise.topology.places import find_primary
from midrise.topology.state import StateFolder

LIMIT_S = 90
PAUSE_S = 0.05
PASSWORD = "three green boats at dawn"
ADMINISTRATOR = "owner@midrise.test"


class House:
    """A topology with two instances on a free port."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.first_output = ""
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("MIDRISE_")},
            "MIDRISE_HOME": str(self.home),
            "MIDRISE_PORT": str(self.port),
            "MIDRISE_ADMIN_EMAIL": ADMINISTRATOR,
            "MIDRISE_ADMIN_PASSWORD": PASSWORD,
            "MIDRISE_PASSWORD_COST": "4",
            "MIDRISE_RATE_LIMIT": "off",
            **settings,
        }

    def midrise(self, *arguments: str, check: bool = True, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        ended = subprocess.run(
            command(*arguments),
            cwd=self.folder,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert not check or ended.returncode == 0, ended.stdout + ended.stderr
        return ended

    def status(self) -> dict[str, Any]:
        """What runs, ready or not, without the time that a command takes."""
        return msgspec.to_builtins(ask_status(self.state.control, home=self.home))

    def order(self, what: Order) -> Iterator[Event]:
        """Give an order; it is under way once the first event is there, and done after the last."""
        return give(what, self.state.control, home=self.home)

    def process(self, name: str) -> dict[str, Any]:
        return next(process for process in self.status()["processes"] if process["name"] == name)

    def names(self) -> list[str]:
        return [process["name"] for process in self.status()["processes"]]

    def kill(self, name: str) -> None:
        """Kill a process and wait until another one has taken its place."""
        before = self.process(name)
        os.kill(before["pid"], signal.SIGKILL)
        wait_for(lambda: self.process(name)["restarts"] > before["restarts"])
        wait_for(lambda: self.status()["ready"])
        assert self.process(name)["pid"] != before["pid"]

    def processes(self) -> set[int]:
        """Every process of this house, by the folder in its command line or its working folder."""
        return {process.pid for process in psutil.process_iter() if self._owns(process)}

    def supervisor(self) -> int:
        """The process that holds the folder."""
        facts = (self.home / "lock").stat()
        lock = f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
        lines = Path("/proc/locks").read_text().splitlines()
        return next(int(line.split()[4]) for line in lines if lock in line and "WRITE" in line)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=LIMIT_S)

    def administrator(self) -> httpx.Client:
        """A client that has logged in."""
        answer = httpx.post(f"{self.url}/v1/auth/login", json={"email": ADMINISTRATOR, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client = self.client()
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return client

    def sql(self, statement: str, *, port: int | None = None) -> str:
        """What the primary answers, or the server with this port."""
        psql = self.psql() if port is None else self.psql_of(port)
        answer = subprocess.run(
            psql, input=statement, capture_output=True, text=True, check=True, timeout=LIMIT_S
        )
        return answer.stdout.strip()

    def psql(self) -> list[str]:
        """The command of a session as the superuser of the primary."""
        return self.psql_of(find_primary(self.state.postgres).port)

    def psql_of(self, port: int) -> list[str]:
        """The same on the server with this port."""
        psql = find_postgres().path("psql")
        return [psql, "-XAtq", "-h", str(self.sockets), "-p", str(port), "-U", "postgres", "-d", "midrise"]

    @property
    def state(self) -> StateFolder:
        return StateFolder(self.home)

    @property
    def sockets(self) -> Path:
        return self.state.sockets

    def _owns(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            places = [*process.cmdline(), process.cwd()]
            return any(f"{self.home}/" in place for place in places)
        return False


@contextlib.contextmanager
def raised(**settings: str) -> Iterator[House]:
    """The whole in a folder of its own; after the block nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="midrise-") as name:
        house = House(Path(name), **settings)
        house.first_output = house.midrise("up", "--detach").stdout
        try:
            yield house
        finally:
            house.midrise("down", check=False)
            assert house.processes() == set(), "processes were left behind"


class Load:
    """Clients that ask again and again, until the block ends; what failed is in ``failures``."""

    def __init__(self, *asks: Callable[[], httpx.Response]) -> None:
        self.answers = 0
        self.failures: list[str] = []
        self._asks = asks
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(ask,)) for ask in asks]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        wait_for(lambda: self.answers >= len(self._asks))
        return self

    def __exit__(self, *_: object) -> None:
        answered = self.answers
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.answers > answered + len(self._asks))
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _run(self, ask: Callable[[], httpx.Response]) -> None:
        while not self._ending.wait(PAUSE_S):
            try:
                answer = ask()
            except httpx.HTTPError as trouble:
                self.failures.append(repr(trouble))
            else:
                if not answer.is_success:
                    self.failures.append(_failure(answer))
            self.answers += 1


def _failure(answer: httpx.Response) -> str:
    when = f" with Retry-After {answer.headers['Retry-After']}" if "Retry-After" in answer.headers else ""
    return f"{answer.request.method} {answer.status_code}{when}: {answer.text}"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "midrise", *arguments]


@contextlib.contextmanager
def foreground(house: House) -> Iterator[subprocess.Popen[str]]:
    """`midrise up` in the foreground, ready, with nothing on standard input."""
    process = subprocess.Popen(
        command("up"),
        cwd=house.folder,
        env=house.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if re.search("Midrise is ready", line):
                break
        else:
            raise AssertionError("".join(printed))
        yield process
    finally:
        process.terminate()
        process.wait(LIMIT_S)
        process.stdout.close()


def report(text: str) -> None:
    """Say what a drill did, what it counted and what it found."""
    print(text)  # noqa: T201  pytest shows it


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition: Callable[[], Any]) -> Any:
    """What the condition gives once it is true."""
    end = time.monotonic() + LIMIT_S
    while not (value := condition()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)
    return value
