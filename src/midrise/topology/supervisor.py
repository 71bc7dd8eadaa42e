"""Raises the floors of a plan, keeps them up, changes them by order, and lowers them again."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Coroutine
from typing import Any

from midrise.topology import logs
from midrise.topology.control import AskStatus, ControlServer, Down, Order, Promote, Restart, Scale
from midrise.topology.errors import Refused
from midrise.topology.events import Done, Event, Noted, Raised, Tell
from midrise.topology.floors import Floors
from midrise.topology.leftovers import end_leftovers
from midrise.topology.plan import Plan
from midrise.topology.probe import refuse_taken_port
from midrise.topology.state import StateFolder
from midrise.topology.trouble import full_disk, has_space, sentence

LOOK_FOR_ORPHANS_EVERY_S = 2
LEAST_FREE_BYTES = 16 * 1024 * 1024
"""PostgreSQL writes its journal in files of this size."""


def supervise(plan: Plan, *, tell: Tell) -> None:
    """Raise the plan and keep it up until a signal or an order ends it.

    Ctrl-C, SIGTERM, SIGHUP and ``midrise down`` end it; a second signal doesn't wait for requests under way.
    Raises Refused, in one sentence, if it can't be raised; then nothing is left running.
    """
    state = StateFolder(plan.home)
    with state.locked():
        asyncio.run(Supervisor(plan, state, tell=tell).run())


class Supervisor:
    """One run of a topology, from the first process to the last."""

    def __init__(self, plan: Plan, state: StateFolder, *, tell: Tell) -> None:
        self._plan = plan
        self._state = state
        self._listeners = [tell]
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()
        self._log = logs.SupervisorLog(state.logs)

    async def run(self) -> None:
        left = await end_leftovers(self._state)
        self._state.remove_sockets()
        self._state.prepare()
        if left:
            self._tell(Noted(f"The last run was killed; what it left was ended: {', '.join(left)}"))
        self._floors = Floors(self._plan, self._state, tell=self._tell)
        self._heed_signals()
        control = ControlServer(self._state.control, self._obey)
        background = [asyncio.create_task(logs.keep_small(self._state.logs))]
        if os.getpid() == 1:
            background.append(asyncio.create_task(_reap_orphans()))
        try:
            await control.open()
            await self._raise_and_wait()
        finally:
            await self._floors.lower()
            self._ended.set()
            await control.close()
            for task in background:
                task.cancel()
            self._state.remove_sockets()

    async def _raise_and_wait(self) -> None:
        began = time.perf_counter()
        try:
            refuse_taken_port(self._plan.host, self._plan.port)
            if not self._plan.has_master_secret:
                self._state.make_master_secret()
            is_raised = await self._unless_ending(self._floors.raise_all())
        except OSError as trouble:
            raise Refused(sentence(trouble, self._state.home)) from trouble
        except Refused as refused:
            # A full disk makes each program fail in its own words, or wait for one that did.
            if has_space(self._state.home, least_bytes=LEAST_FREE_BYTES):
                raise
            raise Refused(full_disk(self._state.home)) from refused
        if not is_raised:
            raise Refused("Midrise was told to stop before it was ready")
        seconds = time.perf_counter() - began
        self._tell(Raised(self._plan.address, seconds, self._floors.administrator))
        await self._ending.wait()

    async def _unless_ending(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do this to its end, unless everything is to end before. Returns whether it was done."""
        task = asyncio.create_task(work)
        ending = asyncio.create_task(self._ending.wait())
        await asyncio.wait((task, ending), return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        task.cancel()
        await asyncio.wait((task, ending))
        if task.cancelled():
            return False
        task.result()
        return True

    async def _obey(self, order: Order, tell: Tell) -> None:
        match order:
            case AskStatus():
                tell(self._floors.status())
                tell(Done(""))
            case Down():
                self._listeners.append(tell)
                self._end()
                await self._ended.wait()
                tell(Done("Midrise is down"))
            case Scale(api=count):
                await self._floors.scale(count, tell=tell)
                tell(Done(f"{count} API {'instance runs' if count == 1 else 'instances run'}"))
            case Restart():
                await self._floors.restart(tell=tell)
                tell(Done("Worker and API instances were replaced"))

            case Promote(name=name):
                await self._floors.promote(name, tell=tell)
                done = f"{name} was promoted: it is postgres.primary now, and the others follow it"
                self._tell(Noted(done))
                tell(Done(done))

    def _tell(self, event: Event) -> None:
        # A full disk or a terminal that is gone must not stop what runs.
        with contextlib.suppress(OSError):
            self._log.write(event)
        for tell in self._listeners:
            with contextlib.suppress(OSError):
                tell(event)

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
            loop.add_signal_handler(signal.SIGHUP, self._end)

    def _end(self) -> None:
        if self._ending.is_set():
            self._floors.hurry()
        self._ending.set()


async def _reap_orphans() -> None:
    """Wait for processes that nobody waits for: in a container, the first process is everybody's parent.

    One that is still there at the second look is none of ours, for whose ends asyncio waits at once.
    """
    seen = None
    while True:
        await asyncio.sleep(LOOK_FOR_ORPHANS_EVERY_S)
        ended = _first_ended()
        if ended is not None and ended == seen:
            _forget(ended)
        seen = ended


def _first_ended() -> int | None:
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended else None


def _forget(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
