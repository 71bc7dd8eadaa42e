"""One server of the database as this process sees it: looked at again and again, never per request."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import asyncpg
import structlog

from midrise.foundation.database.log_end import LogEnd
from midrise.foundation.database.pool import ConnectionPool, PoolSettings, connect
from midrise.foundation.database.positions import Position

log = structlog.get_logger()

POLL_SECONDS = 0.05
_RETRY_SECONDS = 0.2
_GOOD_FOR_SECONDS = 0.5
_POLL_TIMEOUT_SECONDS = 1.0
_CONNECT_TIMEOUT_SECONDS = 2.0

_SYSTEM = "SELECT system_identifier FROM pg_control_system()"
_POLL = """
WITH place AS MATERIALIZED (
    SELECT
        is_replica,
        CASE WHEN is_replica THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END AS lsn
    FROM (SELECT pg_is_in_recovery() AS is_replica OFFSET 0) AS role
)
SELECT
    is_replica,
    pg_wal_lsn_diff(lsn, '0/0')::bigint AS lsn,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xmin,
    CASE
        WHEN is_replica THEN (SELECT received_tli FROM pg_stat_wal_receiver)
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int
    END AS timeline,
    pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')::bigint AS received_lsn,
    CASE
        WHEN is_replica THEN greatest(
            (SELECT timeline_id FROM pg_control_checkpoint()),
            (SELECT min_recovery_end_timeline FROM pg_control_recovery())
        )
    END AS recorded_timeline,
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8 AS replayed_seconds_ago
FROM place
"""
# The role is asked once, for a server may be promoted while the statement runs. The place is asked before the
# timeline: what a replica has replayed before it went over to another timeline is part of that one as well.


class Node:
    """One server: what it is, where it stands, and since when that is known.

    ``answers`` tells how the last look ended, ``looked_at`` when it began (by the monotonic clock).
    ``primary_timeline`` is the timeline of the primary, told by who knows all servers; ``renewed_at``
    is when the connections of that time were thrown away. It has seen the end of every transaction below
    ``xmin``. ``replayed_seconds_ago`` is the age, when it was last looked at, of the last commit that a replica
    has replayed, by the servers' own clocks; None where it has replayed none since it was started.
    """

    def __init__(self, settings: PoolSettings, *, writing: PoolSettings | None = None) -> None:
        self.pool = ConnectionPool(settings)
        self._writing = writing or replace(settings, read_only=False)
        self.write_pool = ConnectionPool(self._writing)
        self.position: Position | None = None
        self.xmin = 0
        self.replayed_seconds_ago: float | None = None
        self.is_replica = False
        self.answers = False
        self.looked_at: float | None = None
        self.primary_timeline: int | None = None
        self.renewed_at = 0.0
        self.moved = asyncio.Event()
        self.log_end = LogEnd(self.place)
        self._settings = settings
        self._received_timeline: int | None = None
        self._known_at = 0.0
        self._connected_at = 0.0
        self._woken = asyncio.Event()
        self._polling: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return self._settings.url

    @property
    def is_well(self) -> bool:
        """Whether it answered a moment ago, and it is known where it stands."""
        return self.position is not None and time.monotonic() - self._known_at < _GOOD_FOR_SECONDS

    @property
    def claims_to_be_primary(self) -> bool:
        return self.answers and not self.is_replica and self.position is not None

    def place(self, lsn: int, connection: Any) -> Position | None:
        """A place on this server's history, as one of its connections gave it.

        None where system and timeline are not known: also when it was promoted after the last look.
        """
        known = self.position
        if known is None or not self.answers or is_on_replica(connection) is not self.is_replica:
            return None
        return Position(known.system, known.timeline, lsn)

    def distrust(self) -> None:
        """Leave it alone until it has answered again: a read on it failed."""
        self._known_at = 0.0

    def throw_away_connections(self) -> None:
        """Use none of the present ones again; work under way on them may end."""
        self.renewed_at = time.monotonic()
        self.pool.throw_away()
        self.write_pool.throw_away()

    def look_now(self) -> None:
        """Have it looked at without a pause."""
        self._woken.set()

    def connect_anew(self) -> None:
        """Have it looked at by a new connection next, unless the present one is new."""
        if time.monotonic() - self._connected_at > _RETRY_SECONDS:
            self._connected_at = 0.0

    async def connect_to_write(self, purpose: str) -> Any:
        """A connection of one's own, outside the pools; whoever asks for it closes it."""
        return await connect(replace(self._writing, process=f"{self._settings.process} {purpose}"))

    def start(self, *, on_look: Callable[["Node"], None]) -> None:
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll(on_look))

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
            self._polling = None
        await self.pool.close()
        await self.write_pool.close()

    async def _poll(self, on_look: Callable[["Node"], None]) -> None:
        while True:
            try:
                await self._poll_on_one_connection(on_look)
            except Exception as trouble:  # noqa: BLE001  whatever it is, the next try may do
                if self.answers:
                    log.warning("database.node_away", node=self.pool.process, reason=repr(trouble))
                # From a server that is gone every connection says so. One that hangs, or that packets don't
                # reach, says nothing: a read would wait for all of its time.
                self._forget(hangs=isinstance(trouble, OSError))
                on_look(self)
                await self._pause(_RETRY_SECONDS)

    async def _poll_on_one_connection(self, on_look: Callable[["Node"], None]) -> None:
        began = self._connected_at = time.monotonic()
        try:
            connection = await connect(
                replace(self._settings, connect_timeout_seconds=_CONNECT_TIMEOUT_SECONDS)
            )
            try:
                # The system identifier is a 64-bit number of which PostgreSQL shows the signed form.
                system = await connection.fetchval(_SYSTEM, timeout=_POLL_TIMEOUT_SECONDS) % 2**64
                while self._connected_at:
                    began = time.monotonic()
                    row = await connection.fetchrow(_POLL, timeout=_POLL_TIMEOUT_SECONDS)
                    self._learn(row, system, began=began)
                    on_look(self)
                    await self._pause(POLL_SECONDS)
            finally:
                connection.terminate()
        finally:
            self.looked_at = began

    def _learn(self, row: asyncpg.Record, system: int, *, began: float) -> None:
        self.is_replica, self.answers, self.looked_at = row["is_replica"], True, began
        lsn: int = row["lsn"] or 0
        self.xmin = row["xmin"]
        self.replayed_seconds_ago = row["replayed_seconds_ago"]
        timeline = self._timeline(row, lsn)
        self.position = None if timeline is None else Position(system, timeline, lsn)
        self._known_at = time.monotonic()
        self.moved.set()
        self.moved.clear()

    def _timeline(self, row: asyncpg.Record, lsn: int) -> int | None:
        """The timeline that the server's place is on; None where that can't be said for sure.

        What a replica receives tells its own; so does what it received last, while it has replayed no more than
        that. Where it is not shown (to roles without pg_read_all_stats), the control file may be old, but is
        right when it names the newest timeline that there is.
        """
        timeline: int | None = row["timeline"]
        if not row["is_replica"]:
            return timeline
        if timeline:
            self._received_timeline = timeline
            return timeline
        if self._received_timeline is not None and lsn <= (row["received_lsn"] or 0):
            return self._received_timeline
        recorded: int | None = row["recorded_timeline"]
        return recorded if recorded is not None and recorded == self.primary_timeline else None

    def _forget(self, *, hangs: bool) -> None:
        """It is gone, and may come back as another: nothing of what it was is believed.

        A replica that hangs has its reads cut off, to be repeated on the primary. What writes never is cut off,
        nor what is under way on a primary: that may still come to its end.
        """
        self.answers = False
        self.xmin = 0
        self._received_timeline = None
        self._known_at = 0.0
        self.throw_away_connections()
        if hangs and self.is_replica:
            self.pool.cut()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()


def is_on_replica(connection: Any) -> bool:
    """Whether the server of a connection follows another, by what it said of itself when it last answered.

    PostgreSQL reports it by itself (``in_hot_standby``); a proxy that keeps that back is believed.
    """
    return getattr(connection.get_settings(), "in_hot_standby", "off") == "on"
