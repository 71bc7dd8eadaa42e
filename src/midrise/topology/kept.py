"""Keeps one component running: whatever ends it, it is started again, until it is stopped by order."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from midrise.topology.child import Child
from midrise.topology.component import Component, DisposableComponent
from midrise.topology.errors import CannotStart, Refused
from midrise.topology.events import Noted, ProcessStatus, Tell
from midrise.topology.leftovers import ProcessRecord

STEADY_AFTER_S = 2
"""Who has run this long has recovered: the next failure counts as the first."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
LOOK_FOR_DAMAGE_EVERY_S = 2
TRIES_BEFORE_ANEW = 3


class State(StrEnum):
    """What a component does. Only RESTARTING is trouble; the others were ordered."""

    STARTING = "starting"
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Kept:
    """One component and the process that runs it now."""

    def __init__(self, component: Component, *, logs: Path, record: ProcessRecord, tell: Tell) -> None:
        self.component = component
        self.state = State.STOPPED
        self.restarts = 0
        self._child = Child(component, logs=logs)
        self._record = record
        self._tell = tell
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def status(self) -> ProcessStatus:
        return ProcessStatus(self.component.name, self.pid, self.state.value, self.restarts)

    async def start(self) -> None:
        """Start it and wait until it is ready; raises Refused, and then it doesn't run."""
        self.state = State.STARTING
        try:
            await self._start_or_make_anew()
        except BaseException:
            self.state = State.STOPPED
            raise
        self.state = State.RUNNING
        self._keep()

    async def stop(self) -> None:
        """End it for good."""
        self.state = State.STOPPING
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        await self._end()
        self.state = State.STOPPED

    def hurry(self) -> None:
        """Wait for no requests: what is being stopped ends now, and what will be stopped does so at once."""
        self._child.hurry()

    async def replace(self) -> None:
        """Put a new process in the place of the present one.

        Raises Refused if the new one doesn't become ready; it is then tried again and again.
        """
        await self.stop()
        self.state = State.STARTING
        try:
            await self._start()
        except Refused:
            self.state = State.RESTARTING
            self._keep()
            raise
        self.state = State.RUNNING
        self._keep()

    def become(self, component: Component) -> None:
        """Take the process, which runs or not, for another component from now on."""
        self.component = self._child.component = component

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        if self.pid is not None:
            os.kill(self.pid, number)

    def _keep(self) -> None:
        self._keeper = asyncio.create_task(self._keep_running(), name=f"keep {self.component.name}")

    async def _keep_running(self) -> None:
        pauses = _pauses()
        while True:
            if self.state is State.RUNNING:
                since = time.monotonic()
                await self._ended_or_damaged()
                if time.monotonic() - since > STEADY_AFTER_S:
                    pauses = _pauses()
                self.state = State.RESTARTING
                self.restarts += 1
            await self._come_back(pauses)
            self.state = State.RUNNING

    async def _ended_or_damaged(self) -> None:
        while True:
            try:
                code = await asyncio.wait_for(self._child.ended(), LOOK_FOR_DAMAGE_EVERY_S)
            except TimeoutError:
                if self._child.is_beyond_repair():
                    self._tell(Noted(f"{self.component.name} can't go on as it is; it is made anew"))
                    return
            else:
                self._tell(Noted(f"{self.component.name} ended ({_how(code)}); it is started again"))
                return

    async def _come_back(self, pauses: Iterator[float]) -> None:
        name = self.component.name
        began = time.monotonic()
        for tries, pause in enumerate(pauses, start=1):
            self._child.end_stragglers()
            await asyncio.sleep(pause)
            try:
                if tries > TRIES_BEFORE_ANEW or self._child.is_beyond_repair():
                    await self._make_anew()
                await self._start()
            except Exception as trouble:  # noqa: BLE001  whatever it was, it is tried again
                self._tell(Noted(f"{name} did not come back: {trouble}"))
            else:
                self._tell(Noted(f"{name} is back after {time.monotonic() - began:.2f} seconds"))
                return

    async def _start(self) -> None:
        try:
            pid = await self._child.start()
            self._record.add(self.component.name, pid=pid, stop_signal=self.component.stop_signal)
            await self._child.ready()
        except BaseException:
            await self._end()
            raise

    async def _start_or_make_anew(self) -> None:
        try:
            await self._start()
        except CannotStart as trouble:
            if not isinstance(self.component, DisposableComponent):
                raise
            self._tell(Noted(f"{trouble}; it is made anew"))
            await self._make_anew()
            await self._start()

    async def _make_anew(self) -> None:
        if isinstance(self.component, DisposableComponent):
            await self._end()
            await self.component.make_anew()

    async def _end(self) -> None:
        await self._child.stop()
        self._record.remove(self.component.name)


def _pauses() -> Iterator[float]:
    """Seconds to wait before each try: the first comes at once."""
    yield 0
    pause = FIRST_PAUSE_S
    while True:
        yield pause
        pause = min(2 * pause, LONGEST_PAUSE_S)


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
