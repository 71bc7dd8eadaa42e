"""Runs the gateway: nginx over the API instances, with a configuration that changes while it runs."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from midrise.topology import processes
from midrise.topology.binaries import find_nginx
from midrise.topology.component import Component
from midrise.topology.errors import Refused
from midrise.topology.gateway import GatewaySettings, command, write_config
from midrise.topology.privileges import Account, server_account
from midrise.topology.probe import refuse_taken_port, speaks_http

PORT_LIMIT_S = 5
RELOAD_LIMIT_S = 10
FIRST_FREE_PORT = 1024


class Gateway(Component):
    """nginx, on the only TCP port of the topology.

    Started by root it runs in a namespace like every other server, unless the port is one that only root may
    take. Then, and where namespaces are forbidden, what of nginx talks to clients becomes its folder's owner.
    """

    start_limit_s: ClassVar[float] = 20
    stop_limit_s: ClassVar[float] = 40
    stop_signal: ClassVar[signal.Signals] = signal.SIGQUIT
    straggler_signal: ClassVar[signal.Signals] = signal.SIGQUIT
    """Workers outlive a killed master and hold the port. They close it, finish their requests and end."""

    def __init__(self, settings: GatewaySettings) -> None:
        owner = server_account()
        prefix = owner.prefix if settings.port >= FIRST_FREE_PORT else ()
        super().__init__("gateway", account=Account(prefix=prefix))
        self.settings = settings
        self._owner = owner

    @property
    def instances(self) -> tuple[Path, ...]:
        """The sockets that requests are balanced over. A change counts once it is written and reloaded."""
        return self.settings.instances

    @instances.setter
    def instances(self, sockets: tuple[Path, ...]) -> None:
        self.settings = replace(self.settings, instances=sockets)

    async def write(self) -> None:
        """Put the configuration in place; raises Refused when nginx finds it wrong, TLS files for example."""
        self._owner.own(self.settings.folder)
        await asyncio.to_thread(write_config, self.settings, nginx=find_nginx())

    async def prepare(self) -> None:
        limit = time.monotonic() + PORT_LIMIT_S
        while True:
            try:
                refuse_taken_port(self.settings.host, self.settings.port)
                break
            except Refused:
                if time.monotonic() > limit:
                    raise
                await asyncio.sleep(0.01)
        await self.write()

    def command(self) -> list[str]:
        return command(self.settings, nginx=find_nginx())

    async def is_ready(self, pid: int) -> bool:  # noqa: ARG002  prepare() saw that nobody else has the port
        tls = self.settings.tls_certificate is not None
        return await speaks_http(self.settings.host, self.settings.port, tls=tls)

    async def reload(self, pid: int) -> frozenset[int]:
        """Let the configuration count. Returns the workers that finish the requests of the old one."""
        old = frozenset(processes.children_of(pid))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGHUP)
        await _until(lambda: processes.children_of(pid) - old or not processes.start_mark(pid), RELOAD_LIMIT_S)
        return old

    async def drained(self, workers: frozenset[int], *, limit_s: float) -> bool:
        """Wait until these workers have finished their requests; whether they have, within the limit."""
        return await _until(lambda: not any(map(processes.start_mark, workers)), limit_s)


async def _until(condition: Callable[[], object], limit_s: float) -> bool:
    limit = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > limit:
            return False
        await asyncio.sleep(0.01)
    return True
