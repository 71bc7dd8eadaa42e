"""The protocol of the generations with one rule changed, each of which lets a stale answer through."""

from collections.abc import Iterable, Iterator

from tests.foundation.cache.model.generation_states import UNKNOWN, Reader, State
from tests.foundation.cache.model.generations import Generations
from tests.foundation.cache.model.postgresql import COMMITTED, FIRST_XID, OVER, Server, Snapshot

OPEN, SHUT = 0, 1
"""Guards of a record whose fills are not held back by a horizon."""


class BoundByXmax(Generations):
    """An unknown horizon is resolved to the snapshot's xmax, which is not above every xid in progress."""

    def bounds(self, server: Server) -> Iterable[int]:
        return (server.snapshot().xmax,)


class BoundFromBefore(Generations):
    """The bound was taken before the record was seen."""

    def bounds(self, server: Server) -> Iterable[int]:
        return range(FIRST_XID, server.next_xid + 1)


class ResolvedWithoutComparing(Generations):
    """A bound is set whatever the record's value is by then."""

    compares_when_resolving = False


class FilledWithoutHorizon(Generations):
    """Whoever saw the value may fill under it."""

    def may_keep(self, guard: int, xmin: int) -> bool:  # noqa: ARG002  that is what is wrong with it
        return True


class JoinedWithoutHorizon(Generations):
    """A reader joins a query in flight that saw the same value, whatever the query's snapshot was."""

    joins_only_what_passed = False


class JoinedUnderAnyValue(Generations):
    """A reader is given what was begun after it came, whatever value it was read under."""

    def may_wait_for(self, reading: Reader, waiting: Reader) -> bool:  # noqa: ARG002  that is what is wrong
        return True

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        # A reader under a value that nobody else saw is no idler here.
        yield from self._all_steps(state)


class ShownWhatAReplicaHas(Generations):
    """Who came before a reading is given it also from a replica that has not seen the horizon."""

    def may_show(self, snapshot: Snapshot, server: Server, *, passed: bool) -> bool:  # noqa: ARG002  likewise
        return True


class MarkLowersHorizon(Generations):
    """The horizon is set above who marks, and not left where one with a higher id has marked before."""

    def marked(self, guard: int, xid: int) -> int:
        return UNKNOWN if guard == UNKNOWN else xid + 1


class MarkMakesKnown(Generations):
    """A mark gives a horizon to a record that has none, though others may have marked one that was lost."""

    def marked(self, guard: int, xid: int) -> int:
        return max(guard, xid + 1)


class MarkedAfterCommit(Generations):
    """A writer marks when its commit is through."""

    marks_after_commit = True


class OnThePrimary(Generations):
    """Reads come from the primary alone, to be fair to protocols that have nothing against a replica's lag."""

    def snapshots(self, server: Server) -> Iterable[Snapshot]:
        return (server.snapshot(),)


class MarkedUntilExpiry(OnThePrimary):
    """A mark keeps fills out until it expires; whoever finds no record may fill."""

    def drawn(self) -> int:
        return OPEN

    def marked(self, guard: int, xid: int) -> int:  # noqa: ARG002  a mark is a mark
        return SHUT

    def may_keep(self, guard: int, xmin: int) -> bool:  # noqa: ARG002  nothing is known of the snapshot
        return guard == OPEN

    def by_itself(self, state: State) -> Iterator[tuple[str, State]]:
        yield from super().by_itself(state)
        if state.record and state.record.guard == SHUT:
            yield "the mark expires", state._replace(record=state.record._replace(guard=OPEN))


class MarkedByEachWriter(OnThePrimary):
    """A writer adds a mark of its own before its commit and takes it away after; fills wait for the last to go.

    The guard is the set of marks, a bit for each writer.
    """

    def drawn(self) -> int:
        return OPEN

    def marked(self, guard: int, xid: int) -> int:
        return guard | 1 << xid

    def may_keep(self, guard: int, xmin: int) -> bool:  # noqa: ARG002  nothing is known of the snapshot
        return guard == OPEN

    def by_itself(self, state: State) -> Iterator[tuple[str, State]]:
        yield from super().by_itself(state)
        for xid, phase in enumerate(state.server.writers, start=FIRST_XID):
            if phase == COMMITTED:
                after = state._replace(server=state.server.turn(xid, OVER))
                if record := state.record:
                    after = after._replace(record=record._replace(guard=record.guard & ~(1 << xid)))
                yield f"writer {xid} takes its mark away", after


WEAKER = (
    *(BoundByXmax, BoundFromBefore, ResolvedWithoutComparing, FilledWithoutHorizon, JoinedWithoutHorizon),
    *(JoinedUnderAnyValue, ShownWhatAReplicaHas, MarkLowersHorizon, MarkMakesKnown),
    *(MarkedAfterCommit, MarkedUntilExpiry, MarkedByEachWriter),
)
