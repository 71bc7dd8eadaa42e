"""The protocol of a session's position with one rule changed, each of which misses an answered write."""

from tests.foundation.cache.model.positions import AT_WORK, Positions, Record, State
from tests.foundation.cache.model.switch import Switch


class AnsweredBeforeRaising(Positions):
    """A writer answers when its commit is through, and raises the record after."""

    def may_answer(self, phase: int, switch: Switch) -> bool:  # noqa: ARG002  that is what is wrong with it
        return phase == AT_WORK


class AnsweredThoughItCouldNotRaise(Positions):
    """A writer that turned the cache off answers before every server knows."""

    def wait_is_over(self, switch: Switch, version: int) -> bool:  # noqa: ARG002  the same
        return True


class RaisedWhereAbsent(Positions):
    """A writer that finds no record makes one with its own position, and a reader one with the primary's."""

    def drawn(self, fresh: int) -> Record | None:  # noqa: ARG002  the same
        return None

    def raised(self, record: Record | None, position: int, *, fresh: int) -> Record | None:
        return Record(fresh, max(position, record.position if record else 0))


class AbsentLeftAlone(RaisedWhereAbsent):
    """A writer that finds no record leaves it at that, since the next reader makes one."""

    def raised(self, record: Record | None, position: int, *, fresh: int) -> Record | None:
        return record and super().raised(record, position, fresh=fresh)


class PositionFromBefore(Positions):
    """The primary's position was taken before the record was seen."""

    def positions(self, state: State) -> range:
        return range(state.position + 1)


class TurnedOnWithoutANewEpoch(Positions):
    """Keys are the same after an outage as before it."""

    def epoch(self, version: int) -> int:  # noqa: ARG002  the same
        return 0


class TurnedOnWithoutAWait(Positions):
    """The cache is turned on while servers may still go by their poll of the epoch before."""

    def may_turn_on(self, switch: Switch, *, locked: bool) -> bool:
        return switch.is_off and not locked


class EpochNotBoundToARun(Positions):
    """A cache that was started again from what it had saved is taken for the one it was."""

    def serves(self, switch: Switch, epoch: int) -> bool:  # noqa: ARG002  the same
        return True


WEAKER = (
    *(AnsweredBeforeRaising, AnsweredThoughItCouldNotRaise, RaisedWhereAbsent, AbsentLeftAlone),
    *(PositionFromBefore, TurnedOnWithoutANewEpoch, TurnedOnWithoutAWait, EpochNotBoundToARun),
)
