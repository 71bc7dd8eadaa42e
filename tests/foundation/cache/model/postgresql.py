"""What the protocol needs to know of PostgreSQL: transaction ids, and what a snapshot says of them.

`test_snapshots.py` holds the same against a real server.
"""

from functools import cache
from typing import NamedTuple

FIRST_XID = 1

RUNNING, MARKED, COMMITTED, OVER = "running", "marked", "committed", "over"
"""What a writer has done: got an xid, marked, committed with something left to do, ended."""


class Snapshot(NamedTuple):
    """As `pg_current_snapshot()` tells it, and the writes that it shows, by xid."""

    xmin: int
    xmax: int
    shown: tuple[int, ...]


class Server(NamedTuple):
    """The primary. Xids are given in order, so the writer with xid 1 stands first in ``writers``."""

    writers: tuple[str, ...] = ()
    """How far each has come that has an xid."""
    ended: tuple[tuple[int, bool], ...] = ()
    """Each xid that has ended, in order, and whether it committed. Replicas replay this."""

    @property
    def next_xid(self) -> int:
        return FIRST_XID + len(self.writers)

    @property
    def committed(self) -> tuple[int, ...]:
        return snapshot_after(self.ended).shown

    def snapshot(self) -> Snapshot:
        return snapshot_after(self.ended)

    def snapshots(self) -> list[Snapshot]:
        """Every snapshot that a replica may have, which lags as far as it likes, and the primary's own."""
        return _snapshots_until(self.ended)

    def begin(self) -> "Server":
        """A writer's first statement, which gives it the next xid."""
        return self._replace(writers=(*self.writers, RUNNING))

    def turn(self, xid: int, phase: str) -> "Server":
        place = xid - FIRST_XID
        return self._replace(writers=(*self.writers[:place], phase, *self.writers[place + 1 :]))

    def end(self, xid: int, phase: str, *, committed: bool) -> "Server":
        return self.turn(xid, phase)._replace(ended=(*self.ended, (xid, committed)))


@cache
def snapshot_after(ended: tuple[tuple[int, bool], ...]) -> Snapshot:
    """The snapshot of a server on which these have ended.

    PostgreSQL's xmax is the greatest xid that has ended, plus one. A transaction in progress may have an xid at
    or above it, and then xmin does not count it either (`GetSnapshotData` in procarray.c).
    """
    gone = {xid for xid, _ in ended}
    xmax = max(gone, default=FIRST_XID - 1) + 1
    xmin = min(set(range(FIRST_XID, xmax)) - gone, default=xmax)
    return Snapshot(xmin, xmax, tuple(sorted(xid for xid, committed in ended if committed)))


@cache
def _snapshots_until(ended: tuple[tuple[int, bool], ...]) -> list[Snapshot]:
    return [snapshot_after(ended[:replayed]) for replayed in range(len(ended) + 1)]
