"""Writers that can't mark: an outage of the cache, its end, and a cache that comes back with old content.

Within an epoch the cache is as `generations.py` has shown it to be right, and simpler: looking, drawing and
resolving are one step, and so are reading and filling. Any writer may find at any moment that it can't mark. A
cache that is frozen and thawed, or cut off from somebody, is one that keeps its content meanwhile.

A writer that can't mark turns the cache off when it has its xid, waits, and commits. It needs no lock: when the
cache is turned on again, the new epoch has no records, and their horizons will be above every xid there was.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.foundation.cache.model.postgresql import FIRST_XID, MARKED, OVER, RUNNING, Server
from tests.foundation.cache.model.search import StaleAnswer
from tests.foundation.cache.model.switch import Switch, Switching

WAITING, LOCKED = "waiting", "locked"
"""A writer that has turned the cache off; one that has found it off under a lock (`late_xids.py`)."""

HOLDS_LOCK = -1
"""In place of a version: a writer that has the lock and no xid yet."""


class Kept(NamedTuple):
    """What the cache holds of an epoch: the horizon of its record, and the answer under its value."""

    horizon: int | None = None
    shown: tuple[int, ...] | None = None


class State(NamedTuple):
    server: Server
    switch: Switch
    waited_from: tuple[int, ...]
    """For each writer the version with which it turned the cache off, or 0."""
    late: tuple[int, ...]
    """The same for writers that have no xid yet."""
    kept: tuple[Kept, ...]
    """For each epoch."""
    saved: tuple[Kept, ...] | None
    """What the cache has saved, and will hold when it is started anew."""


class Outages(Switching):
    """The protocol. What weakens it overrides one of the rules, which stand first."""

    def __init__(self, *, writers: int = 2, servers: int = 2, last_version: int = 4, restarts: int = 1) -> None:
        super().__init__(servers=servers, last_version=last_version)
        self._writers = writers
        self._restarts = restarts

    def waits_from(self, before: Switch, after: Switch) -> int:  # noqa: ARG002  a weakened protocol looks at both
        """The version of which a writer makes sure that every server knows."""
        return after.version

    def initial(self) -> State:
        return State(Server(), self.switched_on(), (), (), (Kept(),) * self.epochs, None)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        locked = LOCKED in state.server.writers or HOLDS_LOCK in state.late
        for label, switch in self.steps_of_switch(state.switch, locked=locked):
            yield label, state._replace(switch=switch)
        yield from self._steps_of_cache(state)
        for epoch in self.usable_epochs(state.switch):
            yield from self._steps_of_reader(state, epoch)
        if self.more_writers(state):
            begun = state._replace(server=state.server.begin(), waited_from=(*state.waited_from, 0))
            yield f"writer {state.server.next_xid} begins", begun
        for xid, phase in enumerate(state.server.writers, start=FIRST_XID):
            if phase != OVER:
                yield from self._steps_of_writer(state, xid, phase)

    def more_writers(self, state: State) -> bool:
        return len(state.server.writers) + len(state.late) < self._writers

    # Writers

    def _steps_of_writer(self, state: State, xid: int, phase: str) -> Iterator[tuple[str, State]]:
        rolled_back = state.server.end(xid, OVER, committed=False)
        yield f"writer {xid} rolls back or crashes", waited_from(state._replace(server=rolled_back), xid, 0)
        if phase == RUNNING:
            yield from self._mark_or_turn_off(state, xid)
        elif phase != WAITING or self.wait_is_over(state.switch, state.waited_from[xid - FIRST_XID]):
            committed = waited_from(state._replace(server=state.server.end(xid, OVER, committed=True)), xid, 0)
            yield f"writer {xid} commits, {phase}", committed

    def _mark_or_turn_off(self, state: State, xid: int) -> Iterator[tuple[str, State]]:
        for epoch in self.usable_epochs(state.switch):
            marked = state._replace(server=state.server.turn(xid, MARKED))
            horizon = state.kept[epoch].horizon
            kept = Kept() if horizon is None else Kept(max(horizon, xid + 1))
            yield f"writer {xid} marks in epoch {epoch}", with_kept(marked, epoch, kept)
        if self.may_turn_off(state.switch):
            switch = self.turned_off(state.switch)
            waiting = state._replace(server=state.server.turn(xid, WAITING), switch=switch)
            version = self.waits_from(state.switch, switch)
            yield f"writer {xid} can't mark and turns the cache off", waited_from(waiting, xid, version)

    # The cache and its readers

    def _steps_of_cache(self, state: State) -> Iterator[tuple[str, State]]:
        nothing = (Kept(),) * len(state.kept)
        if state.kept != nothing:
            yield "the cache is flushed", state._replace(kept=nothing)
        if state.switch.run < self._restarts:
            if state.saved is None:
                yield "the cache saves what it holds", state._replace(saved=state.kept)
            else:
                switch = state.switch._replace(run=state.switch.run + 1)
                restarted = state._replace(kept=state.saved, saved=None, switch=switch)
                yield "the cache starts again with what it saved", restarted

    def _steps_of_reader(self, state: State, epoch: int) -> Iterator[tuple[str, State]]:
        kept = state.kept[epoch]
        if kept.horizon is None:
            resolved = Kept(state.server.next_xid)
            yield f"a reader draws and resolves in epoch {epoch}", with_kept(state, epoch, resolved)
        elif kept.shown is None:
            for snapshot in state.server.snapshots():
                if snapshot.xmin >= kept.horizon:
                    filled = kept._replace(shown=snapshot.shown)
                    label = f"a reader fills what shows {snapshot.shown} in epoch {epoch}"
                    yield label, with_kept(state, epoch, filled)
        elif lacking := set(state.server.committed) - set(kept.shown):
            label = f"a reader is given what was kept in epoch {epoch}"
            raise StaleAnswer(f"{label}: it lacks {sorted(lacking)}")


def with_kept(state: State, epoch: int, kept: Kept) -> State:
    return state._replace(kept=(*state.kept[:epoch], kept, *state.kept[epoch + 1 :]))


def waited_from(state: State, xid: int, version: int) -> State:
    place = xid - FIRST_XID
    return state._replace(waited_from=(*state.waited_from[:place], version, *state.waited_from[place + 1 :]))
