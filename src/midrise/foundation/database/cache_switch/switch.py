"""Watches whether the cache may be used, and turns it off and on for all servers.

A cache can come back with what it held before a change: frozen and thawed, restarted from a snapshot, failed
over, or out of reach of one writer alone. So a change whose generations can't be marked first turns the cache
off for everyone, and waits until nobody can still believe that it is on. Turning it on begins a new epoch,
under which nothing of before is found. docs/cache.md tells why that is enough, and a model test searches it.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic
from typing import Any, Protocol, TypeVar

import asyncpg
import structlog

from midrise.foundation.database.cache_switch.state import CacheState, PostgresCacheState
from midrise.foundation.database.errors import CONNECTION_TROUBLE
from midrise.foundation.database.nodes import Node, Nodes
from midrise.foundation.errors import Unavailable
from midrise.foundation.observability.metrics import CACHE_USABLE

Result = TypeVar("Result")

log = structlog.get_logger()

BELIEF_SECONDS = 0.5
"""How long after it asked a server may believe what the row said."""

_POLL_SECONDS = 0.05
_POLL_TIMEOUT_SECONDS = 0.4
_CHANGE_TIMEOUT_SECONDS = 5.0
_RETRY_SECONDS = 0.25
_OFF_FOR_TROUBLE = timedelta(seconds=10)
_OFF_FOR_RENEWAL = timedelta(seconds=1)
_TROUBLE = (asyncpg.PostgresError, *CONNECTION_TROUBLE)


class CacheServer(Protocol):
    """What is asked of the cache itself."""

    @property
    def server_id(self) -> str | None:
        """Which server is connected to; None for none."""
        ...

    async def check(self) -> bool:
        """Whether it answers."""
        ...


class CacheSwitch:
    """What this process knows of the row, at most half a second old."""

    def __init__(self, nodes: Nodes, server: CacheServer | None) -> None:
        self._nodes = nodes
        self._server = server
        self._row = PostgresCacheState()
        self._node: Node | None = None
        self._connection: Any = None
        self._asking = asyncio.Lock()
        self._state: CacheState | None = None
        self._asked_at = 0.0
        self._off_since: tuple[str, float] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def prefix(self) -> str | None:
        """What keys begin with while the cache may be used; None while it may not.

        Ask again after every answer of the cache: only if it is the same still may that answer be used.
        """
        state = self._state
        if (
            state is None
            or not state.is_on
            or self._server is None
            or not state.is_bound_to(self._server.server_id)
            or monotonic() - self._asked_at > BELIEF_SECONDS
        ):
            return None
        return state.prefix

    async def start(self) -> None:
        """Begin to watch."""
        if self._watching is None:
            with contextlib.suppress(*_TROUBLE, Unavailable):
                await self._look_after()
            self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        self._hang_up()

    async def known_prefix(self) -> str | None:
        """The prefix, asked for now where what is known is too old."""
        if self._watching is None and self._server is not None and self._server.server_id is None:
            # A command: nobody has connected yet.
            await self._server.check()
        if self.prefix is None and monotonic() - self._asked_at > BELIEF_SECONDS:
            with contextlib.suppress(Unavailable):
                await self._ask()
        return self.prefix

    async def turn_off(self, *, unless_usable: bool = False) -> bool:
        """Off for everyone; when it returns nobody believes otherwise. Raises `Unavailable`.

        False, and nothing is done, where it is found on and usable and ``unless_usable`` is set.

        A transaction that has its id by now may then commit without a mark. Should the cache be turned on
        before it has ended, then with an epoch whose horizons lie above that id: it is waited for like others.
        """
        state = await self._ask()
        if unless_usable and self.prefix is not None:
            return False
        while state.is_on:
            await self._turn_off(self._pause())
            state = await self._ask()
        if self._is_cut_off() and state.off_for_seconds < _OFF_FOR_TROUBLE.total_seconds() / 2:
            await self._turn_off(_OFF_FOR_TROUBLE)
        await self._wait_out_beliefs(state)
        return True

    def _pause(self) -> timedelta:
        """A command without a cache turns it off for its own commit; a server in trouble, for a while."""
        return _OFF_FOR_RENEWAL if self._server is None else _OFF_FOR_TROUBLE

    def _is_cut_off(self) -> bool:
        return self._server is not None and self._server.server_id is None

    async def _wait_out_beliefs(self, state: CacheState) -> None:
        """Wait until every server has either seen that it is off, or ceased to believe what it saw before."""
        since = self._note_off(state)
        await asyncio.sleep(max(0.0, since + BELIEF_SECONDS - monotonic()))

    def _note_off(self, state: CacheState) -> float:
        """Since when this process knows that it is off, without a pause."""
        if self._off_since is None or self._off_since[0] != state.epoch:
            self._off_since = (state.epoch, monotonic())
        return self._off_since[1]

    async def _watch(self) -> None:
        while True:
            try:
                await self._look_after()
                await asyncio.sleep(_POLL_SECONDS)
            except (*_TROUBLE, Unavailable):
                await asyncio.sleep(_RETRY_SECONDS)
            except Exception:
                log.exception("cache.watch_failed")
                await asyncio.sleep(_RETRY_SECONDS)

    async def _look_after(self) -> None:
        state = await self._ask()
        CACHE_USABLE.set(self.prefix is not None)
        if self._server is None:
            return
        if self._server.server_id is None:
            await self._server.check()
        elif state.is_on and not state.is_bound_to(self._server.server_id):
            # Another server, or the same one after a restart: what it holds may be from any time. Or another
            # primary, and who asked the one before it may still believe.
            await self._turn_off(_OFF_FOR_RENEWAL)
        elif not state.is_on and self._may_turn_on(state) and await self._server.check():
            await self._turn_on(state)

    def _may_turn_on(self, state: CacheState) -> bool:
        """Who has known it off for so long also knows that nobody believes in the epoch before."""
        known_for_seconds = monotonic() - self._note_off(state)
        return state.off_for_seconds <= 0 and known_for_seconds > BELIEF_SECONDS

    async def _ask(self) -> CacheState:
        """Read the row. Raises `Unavailable`."""
        async with self._asking:
            asked_at = monotonic()
            state = await self._on_row(self._row.read, timeout_seconds=_POLL_TIMEOUT_SECONDS)
            self._state, self._asked_at = state, asked_at
            if state.is_on:
                self._off_since = None
            else:
                self._note_off(state)
            return state

    async def _turn_off(self, duration: timedelta) -> None:
        if self._server is not None:
            log.warning("cache.off", seconds=duration.total_seconds())
        async with self._asking:
            await self._on_row(
                lambda connection: self._row.turn_off(connection, duration),
                timeout_seconds=_CHANGE_TIMEOUT_SECONDS,
            )

    async def _turn_on(self, state: CacheState) -> None:
        server_id = self._server.server_id if self._server else None
        if server_id is None:
            return
        epoch = secrets.token_hex(4)
        async with self._asking:
            await self._on_row(
                lambda connection: self._row.turn_on(connection, state, epoch=epoch, server_id=server_id),
                timeout_seconds=_CHANGE_TIMEOUT_SECONDS,
            )
        log.info("cache.on", epoch=epoch)

    async def _on_row(self, act: Callable[[Any], Awaitable[Result]], *, timeout_seconds: float) -> Result:
        """Do something with the row, as whoever holds the lock. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(timeout_seconds):
                return await act(await self._connect())
        except _TROUBLE as trouble:
            self._hang_up()
            raise Unavailable from trouble
        except BaseException:
            # Cancelled in the middle of an answer: the next one must not find it.
            self._hang_up()
            raise

    async def _connect(self) -> Any:
        primary = self._nodes.primary
        if self._connection is None or self._connection.is_closed() or self._node is not primary:
            self._hang_up()
            self._node, self._connection = primary, await primary.connect_to_write("cache")
        return self._connection

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
