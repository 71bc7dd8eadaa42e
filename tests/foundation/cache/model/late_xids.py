"""Writers that find the cache off before they have an xid, as one does that looks before its first statement.

The horizons of a new epoch may then lie below its xid, so it needs a lock: shared by such writers, and taken
alone by whoever turns the cache on. Under it, in a statement of its own, the writer reads whether the cache is
off and has not been on since its wait began. Midrise's writers get their xid first; this shows why.
"""

from collections.abc import Iterator

from tests.foundation.cache.model.outages import HOLDS_LOCK, LOCKED, Outages, State
from tests.foundation.cache.model.switch import Switch


class LateXids(Outages):
    """The protocol with the lock."""

    def may_write_unmarked(self, switch: Switch, version: int) -> bool:
        """What a writer reads when it has the lock."""
        return switch.version == version

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        yield from super().steps(state)
        if self.more_writers(state) and self.may_turn_off(state.switch):
            switch = self.turned_off(state.switch)
            late = tuple(sorted((*state.late, switch.version)))
            yield "a writer without an xid turns the cache off", state._replace(switch=switch, late=late)
        for place, version in enumerate(state.late):
            others = (*state.late[:place], *state.late[place + 1 :])
            yield "a writer without an xid gives up or starts over", state._replace(late=others)
            if version == HOLDS_LOCK:
                xid = state.server.next_xid
                begun = state.server.begin().turn(xid, LOCKED)
                after = state._replace(server=begun, waited_from=(*state.waited_from, 0), late=others)
                yield f"the writer with the lock becomes writer {xid}", after
            elif state.switch.is_over(version) and self.may_write_unmarked(state.switch, version):
                locked = state._replace(late=tuple(sorted((*others, HOLDS_LOCK))))
                yield "a writer without an xid has the lock and finds the cache off", locked


class OffNotReadUnderTheLock(LateXids):
    """A writer takes the lock and does not look whether the cache is still off."""

    def may_write_unmarked(self, switch: Switch, version: int) -> bool:  # noqa: ARG002  that is what is wrong
        return True


class EpochNotComparedUnderTheLock(LateXids):
    """A writer reads *off* under the lock, but not whether the cache has been on since its wait began."""

    def may_write_unmarked(self, switch: Switch, version: int) -> bool:  # noqa: ARG002  the same
        return switch.is_off


class TurnedOnWithoutTheLock(LateXids):
    """The cache is turned on while a writer that has not marked is under way."""

    def may_turn_on(self, switch: Switch, *, locked: bool) -> bool:  # noqa: ARG002  the same
        return super().may_turn_on(switch, locked=False)


WEAKER = (OffNotReadUnderTheLock, EpochNotComparedUnderTheLock, TurnedOnWithoutTheLock)
