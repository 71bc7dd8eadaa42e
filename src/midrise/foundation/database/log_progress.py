"""When the primary's log had come how far: by that a replica's place tells how long ago it was the last."""

from bisect import bisect_right

_COARSENESS = 0.05
"""How far apart remembered places may be, as a part of their age."""
_THINNED_EVERY = 256


class LogProgress:
    """Remembers places by their time, the older the fewer: of an hour, and of a year, some hundreds.

    So a lag is told a twentieth too small at most, however long it is. Times are those of one monotonic clock.
    """

    def __init__(self) -> None:
        self._lsns: list[int] = []
        self._times: list[float] = []
        self._thinned_at = _THINNED_EVERY

    def note(self, lsn: int, *, now: float) -> bool:
        """The primary's log has come so far. False where it was further before: that was another history."""
        is_same_history = not self._lsns or self._lsns[-1] <= lsn
        if not is_same_history:
            self._lsns.clear()
            self._times.clear()
        if not self._lsns or self._lsns[-1] < lsn:
            self._lsns.append(lsn)
            self._times.append(now)
        if len(self._lsns) >= self._thinned_at:
            self._thin(now)
        return is_same_history

    def seconds_behind(self, lsn: int, *, now: float, at_most: float | None) -> float:
        """How long ago the primary went on from that place.

        Of a place before all that is remembered it is only known that it is older. Then ``at_most`` counts,
        what the replica says itself: since the last commit that it has replayed, an hour may have passed in
        which nothing was committed, but never less than it is behind.
        """
        passed = bisect_right(self._lsns, lsn)
        if passed == len(self._lsns):
            return 0.0
        known = now - self._times[passed]
        return known if passed or at_most is None else max(known, at_most)

    def __len__(self) -> int:
        return len(self._lsns)

    def _thin(self, now: float) -> None:
        kept, newest = [0], len(self._times) - 1
        for each in range(1, newest):
            gap = self._times[each + 1] - self._times[kept[-1]]
            if gap > (now - self._times[each]) * _COARSENESS:
                kept.append(each)
        kept.append(newest)
        self._lsns = [self._lsns[each] for each in kept]
        self._times = [self._times[each] for each in kept]
        self._thinned_at = len(kept) + _THINNED_EVERY
