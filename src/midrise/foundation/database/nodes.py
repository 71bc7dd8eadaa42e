"""The servers of the database as this process sees them: polled in the background, never per request."""

import asyncio
import contextlib
import time
from bisect import bisect_right
from collections.abc import Sequence

import structlog
from sqlalchemy import func, select, text

from midrise.foundation.database.pool import ConnectionPool, PoolSettings, connect
from midrise.foundation.database.positions import Position
from midrise.foundation.database.statements import Statement, present_lsn
from midrise.foundation.errors import Unavailable
from midrise.foundation.observability.metrics import REPLICA_LAG_SECONDS, REPLICA_USABLE

log = structlog.get_logger()

POLL_SECONDS = 0.05
_RETRY_SECONDS = 0.5
_GOOD_FOR_SECONDS = 0.5
_POLL_TIMEOUT_SECONDS = 1.0
_MOST_REMEMBERED = 2000


PRESENT_LSN = Statement(select(present_lsn().label("lsn")))
_POLL = Statement(
    select(
        func.pg_is_in_recovery().label("is_replica"),
        present_lsn().label("lsn"),
        text("(SELECT system_identifier FROM pg_control_system()) AS system"),
        text("(SELECT timeline_id FROM pg_control_checkpoint()) AS timeline"),
    )
)


class Node:
    """One server: where it stands, and since when that is known."""

    def __init__(self, settings: PoolSettings) -> None:
        self.pool = ConnectionPool(settings)
        self.position: Position | None = None
        self.is_replica = settings.read_only
        self.moved = asyncio.Event()
        self._settings = settings
        self._known_at = 0.0
        self._polling: asyncio.Task[None] | None = None

    @property
    def is_well(self) -> bool:
        """Whether it answered a moment ago."""
        return self.position is not None and time.monotonic() - self._known_at < _GOOD_FOR_SECONDS

    def place(self, lsn: int) -> Position | None:
        """A place on this server's history, or None where its system and timeline are not known yet."""
        known = self.position
        return Position(known.system, known.timeline, lsn) if known else None

    def distrust(self) -> None:
        """Leave it alone until it has answered again: a read on it failed."""
        self._known_at = 0.0

    def start(self) -> None:
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll())

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
        await self.pool.close()

    async def _poll(self) -> None:
        while True:
            try:
                await self._poll_on_one_connection()
            except Exception as trouble:  # noqa: BLE001  whatever it is, the next try may do
                if self._known_at:
                    log.warning("database.node_away", node=self.pool.process, reason=repr(trouble))
                self._known_at = 0.0
                await asyncio.sleep(_RETRY_SECONDS)

    async def _poll_on_one_connection(self) -> None:
        connection = await connect(self._settings)
        try:
            while True:
                async with asyncio.timeout(_POLL_TIMEOUT_SECONDS):
                    row = await connection.fetchrow(_POLL.sql)
                self.is_replica = row["is_replica"]
                # The system identifier is a 64-bit number of which PostgreSQL shows the signed form.
                self.position = Position(row["system"] % 2**64, row["timeline"], row["lsn"] or 0)
                self._known_at = time.monotonic()
                self.moved.set()
                self.moved.clear()
                await asyncio.sleep(POLL_SECONDS)
        finally:
            connection.terminate()


class Nodes:
    """The primary and its replicas, and which of them may answer a read."""

    def __init__(
        self, primary: Node, replicas: Sequence[Node], *, most_lag_seconds: float, wait_seconds: float = 0.02
    ) -> None:
        self.primary = primary
        self.replicas = replicas
        self._most_lag_seconds = most_lag_seconds
        self._wait_seconds = wait_seconds
        self._turn = 0
        self._written: Position | None = None
        self._past_lsns: list[int] = []
        self._past_times: list[float] = []

    async def start(self) -> None:
        """Begin to watch, where there is anything to choose from."""
        if self.replicas:
            for node in (self.primary, *self.replicas):
                node.start()

    async def close(self) -> None:
        for node in (self.primary, *self.replicas):
            await node.close()

    async def check_replicas(self) -> None:
        """Raises `Unavailable` where a replica is not well."""
        if not all(node.is_well for node in self.replicas):
            raise Unavailable

    def note_write(self, position: Position) -> None:
        """Something was committed through this process: reads of clients that say nothing shall see it too."""
        self._written = position

    def known(self) -> Position | None:
        """The furthest place of the primary that this process knows of.

        It is what reads want for clients that say nothing: so these are shown nothing older than a poll.
        """
        polled = self.primary.position
        if polled and self._written and self._written.is_comparable(polled):
            return max(polled, self._written, key=lambda place: place.lsn)
        return polled

    async def choose(self, wanted: Position | None) -> Node:
        """The server for a read that may come from a replica: one that has reached what is wanted.

        A replica that is there at once, or within a few milliseconds; else the primary.
        """
        if wanted is None or not self.replicas:
            return self.primary
        usable = [node for node in self.replicas if self._is_usable(node)]
        if not usable:
            return self.primary
        self._turn += 1
        ordered = [usable[(self._turn + offset) % len(usable)] for offset in range(len(usable))]
        ready = self._first_at(ordered, wanted)
        if ready is None and any(node.position and node.position.is_comparable(wanted) for node in ordered):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ordered[0].moved.wait(), timeout=self._wait_seconds)
            ready = self._first_at(ordered, wanted)
        return ready or self.primary

    def _first_at(self, nodes: Sequence[Node], wanted: Position) -> Node | None:
        return next((node for node in nodes if node.position and node.position.covers(wanted)), None)

    def _is_usable(self, node: Node) -> bool:
        usable = node.is_well and node.is_replica and self._lag_seconds(node) <= self._most_lag_seconds
        REPLICA_USABLE.labels(node.pool.process).set(usable)
        return usable

    def _lag_seconds(self, node: Node) -> float:
        """How long ago the primary was where the replica is now."""
        now, primary, replica = time.monotonic(), self.primary.position, node.position
        if primary is None or replica is None:
            return float("inf")
        self._remember(now, primary.lsn)
        passed = bisect_right(self._past_lsns, replica.lsn)
        lag_seconds = now - self._past_times[passed] if passed < len(self._past_times) else 0.0
        REPLICA_LAG_SECONDS.labels(node.pool.process).set(lag_seconds)
        return lag_seconds

    def _remember(self, now: float, lsn: int) -> None:
        if self._past_lsns and self._past_lsns[-1] > lsn:
            # Another history: a primary that was promoted, or restored.
            self._past_lsns.clear()
            self._past_times.clear()
        if not self._past_lsns or self._past_lsns[-1] < lsn:
            self._past_lsns.append(lsn)
            self._past_times.append(now)
        if len(self._past_lsns) > _MOST_REMEMBERED:
            half = len(self._past_lsns) // 2
            del self._past_lsns[:half], self._past_times[:half]
