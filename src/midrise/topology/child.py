"""Runs one component: start it, wait until it is ready, know when it ends, stop it for good.

Children write to their log files themselves, not through a pipe: so they survive a supervisor that is killed,
and no request waits for a log. Each is the leader of its own session, so that the terminal's Ctrl-C reaches
the supervisor alone and a whole group can be ended at once.
"""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from midrise.topology import processes
from midrise.topology.component import Component, DisposableComponent
from midrise.topology.errors import CannotStart
from midrise.topology.trouble import full_disk, says_full

FIRST_LOOK_AFTER_S = 0.01
LONGEST_LOOK_S = 0.25
STRAGGLERS_LIMIT_S = 10
TAIL_BYTES = 64 * 1024
TELLING_WORDS = ("PANIC", "FATAL", "[emerg]")


class Child:
    """A process that runs a component, from its start to its end."""

    def __init__(self, component: Component, *, logs: Path) -> None:
        self.component = component
        self._logs = logs
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0
        self._is_stopping = False
        self._is_hurried = False
        self._stragglers: dict[int, asyncio.Task[None]] = {}

    @property
    def log(self) -> Path:
        """Where the program prints to; a running one goes on in its file when that is renamed."""
        return self._logs / f"{self.component.name}.log"

    @property
    def pid(self) -> int | None:
        """The process's number while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> int:
        """Start the program; it need not be ready yet. Returns its process number."""
        await self.component.prepare()
        account = self.component.account
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._log_start = os.fstat(descriptor).st_size
            self._process = await asyncio.create_subprocess_exec(
                *account.prefix,
                *self.component.command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                env=self.component.environment(),
                start_new_session=True,
                user=account.user_id,
                group=account.group_id,
                extra_groups=None if account.user_id is None else [],
            )
        finally:
            os.close(descriptor)
        return self._process.pid

    async def ready(self) -> None:
        """Wait until the program does its work; raises CannotStart if it ends before, or takes too long."""
        limit = time.monotonic() + self.component.start_limit_s
        pause = FIRST_LOOK_AFTER_S
        while time.monotonic() < limit:
            pid = self.pid
            if pid is None:
                raise CannotStart(self._why_it_ended())
            if await self.component.is_ready(pid):
                return
            if self.is_beyond_repair():
                raise CannotStart(f"{self.component.name} can't go on: {self._last_words()}")
            await asyncio.sleep(pause)
            pause = min(pause * 1.05, LONGEST_LOOK_S)
        seconds = f"{self.component.start_limit_s:.0f} seconds"
        raise CannotStart(f"{self.component.name} was not ready after {seconds}; see {self.log}")

    async def ended(self) -> int:
        """Wait for the end of the process. Returns its exit code, or minus the number of a signal."""
        if self._process is None:
            return 0
        return await self._process.wait()

    def hurry(self) -> None:
        """Let it end without waiting for anybody, now if it is being stopped, else when it will be."""
        self._is_hurried = True
        if self._is_stopping and self.pid:
            processes.signal_group(self.pid, self.component.hurry_signal)

    async def stop(self) -> None:
        """End the process as it likes to be ended, or by force when it takes too long."""
        for stragglers in list(self._stragglers.values()):
            stragglers.cancel()
        process = self._process
        if process is None:
            self.component.clear()
            return
        if process.returncode is None:
            self._is_stopping = True
            component = self.component
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(component.hurry_signal if self._is_hurried else component.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), self.component.stop_limit_s)
            except TimeoutError:
                processes.signal_group(process.pid, signal.SIGKILL)
                await process.wait()
            self._is_stopping = False
        self._signal_rest(signal.SIGKILL)
        self.component.clear()

    def is_beyond_repair(self) -> bool:
        """Whether its program must be made anew, by what it has printed since it was started."""
        component = self.component
        return isinstance(component, DisposableComponent) and component.is_beyond_repair(self.output())

    def end_stragglers(self) -> None:
        """Tell processes that outlived the first one of their group to end; by force, if they take too long."""
        group = self._process.pid if self._process else None
        number = self.component.straggler_signal
        if group is None or group in self._stragglers or not self._signal_rest(number):
            return
        if number is not signal.SIGKILL:
            self._stragglers[group] = asyncio.create_task(self._outwait(group))

    def _signal_rest(self, number: signal.Signals) -> bool:
        """Signal what is left of the group of a process that has ended; whether there was anything."""
        # Where the number lives again, it is another program's: a group keeps its number from being reused.
        group = self._process.pid if self._process else None
        if group is None or processes.start_mark(group) is not None:
            return False
        return processes.signal_group(group, number)

    async def _outwait(self, group: int) -> None:
        try:
            limit = time.monotonic() + STRAGGLERS_LIMIT_S
            while processes.group_lives(group) and time.monotonic() < limit:  # noqa: ASYNC110  not our children
                await asyncio.sleep(0.1)
        finally:
            processes.signal_group(group, signal.SIGKILL)
            del self._stragglers[group]

    def output(self) -> str:
        """What the program has printed since it was started; the end of it, if that is long."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                # A log that was cut since then begins at 0 again.
                start = self._log_start if self._log_start <= size else 0
                file.seek(max(start, size - TAIL_BYTES))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def _why_it_ended(self) -> str:
        if says_full(self.output()):
            return full_disk(self.log)
        code = self._process.returncode if self._process else None
        how = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
        return f"{self.component.name} ended while it was starting ({how}): {self._last_words()}"

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.output().splitlines() if line.strip()]
        telling = [line for line in lines if any(word in line for word in TELLING_WORDS)]
        if not lines:
            return f"it said nothing; see {self.log}"
        return f"{(telling or lines)[-1]} (more in {self.log})"
