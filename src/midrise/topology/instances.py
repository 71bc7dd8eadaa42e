"""Midrise's own programs: API servers, the worker, and jobs that run to their end."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from midrise.topology import processes
from midrise.topology.component import Component
from midrise.topology.errors import CannotStart
from midrise.topology.privileges import Account
from midrise.topology.probe import answers_on_socket

# -P keeps the working folder, which may hold anything, out of the places that modules come from.
MIDRISE = (sys.executable, "-P", "-m", "midrise")


class PythonProgram(Component):
    """A process of Midrise itself, which says on an internal socket whether it is ready."""

    start_limit_s: ClassVar[float] = 60
    stop_limit_s: ClassVar[float] = 40

    def __init__(
        self, name: str, *, sockets: Path, environment: Mapping[str, str], account: Account | None = None
    ) -> None:
        super().__init__(name, account=account)
        self.internal_socket = sockets / f"{name}.internal.sock"
        self._environment = environment

    async def prepare(self) -> None:
        self.account.own(self.internal_socket.parent)
        self.clear()

    def environment(self) -> Mapping[str, str]:
        return self._environment

    async def is_ready(self, pid: int) -> bool:  # noqa: ARG002  prepare() removed all other processes' sockets
        return await answers_on_socket(self.internal_socket, "/readyz")

    def clear(self) -> None:
        self.internal_socket.unlink(missing_ok=True)


class ApiInstance(PythonProgram):
    """One API server. The gateway reaches it on ``socket``."""

    def __init__(
        self, number: int, *, sockets: Path, environment: Mapping[str, str], account: Account | None = None
    ) -> None:
        super().__init__(f"api.{number}", sockets=sockets, environment=environment, account=account)
        self.socket = sockets / f"{self.name}.sock"

    def command(self) -> list[str]:
        return [
            *(*MIDRISE, "serve", "--name", self.name),
            *("--uds", str(self.socket), "--internal-uds", str(self.internal_socket)),
        ]

    async def is_ready(self, pid: int) -> bool:
        return await super().is_ready(pid) and await answers_on_socket(self.socket, "/readyz")

    def clear(self) -> None:
        super().clear()
        self.socket.unlink(missing_ok=True)


class Worker(PythonProgram):
    """The process that does the jobs. It keeps mails in the folder ``mail`` where no mail server is set."""

    def __init__(
        self, *, sockets: Path, mail: Path, environment: Mapping[str, str], account: Account | None = None
    ) -> None:
        super().__init__("worker", sockets=sockets, environment=environment, account=account)
        self._mail = mail

    async def prepare(self) -> None:
        await super().prepare()
        self.account.own(self._mail)

    def command(self) -> list[str]:
        return [*MIDRISE, "worker", "--name", self.name, "--internal-uds", str(self.internal_socket)]


async def run_job(
    name: str,
    *arguments: str,
    environment: Mapping[str, str],
    account: Account,
    input_text: str = "",
    limit_s: float = 600,
) -> str:
    """Run a command of Midrise to its end. Returns what it printed; raises CannotStart with its sentence."""
    process = await asyncio.create_subprocess_exec(
        *(account.prefix if account.user_id is None else ()),
        *MIDRISE,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit_s):
            output, errors = await process.communicate(input_text.encode())
    except TimeoutError:
        raise CannotStart(f"{name} had not ended after {limit_s:.0f} seconds") from None
    finally:
        if process.returncode is None:
            processes.signal_group(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        said = [line for line in errors.decode(errors="replace").splitlines() if line.strip()]
        raise CannotStart(f"{name} failed: {said[-1].strip() if said else 'it said nothing'}")
    return output.decode()
