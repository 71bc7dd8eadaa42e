"""The generations of the cache: writers mark, readers draw, resolve, read, fill and join, and it is flushed.

One generation, of which each writer changes one row. An answer shows a set of writes. Beginning a transaction
and writing in it are no steps here: nobody else sees them before the commit. A crash before the commit is a
rollback; one after it is a writer that does nothing more, as in every state in which something is left to do.
"""

from collections.abc import Collection, Iterable, Iterator

from tests.foundation.cache.model.generation_states import (
    ABSENT,
    ANSWERED,
    BOUND,
    IDLE,
    LOOKED,
    RESOLVED,
    UNKNOWN,
    UNRESOLVED,
    Reader,
    Record,
    State,
    canonical,
    fresh_value,
)
from tests.foundation.cache.model.postgresql import COMMITTED, MARKED, OVER, RUNNING, Server, Snapshot
from tests.foundation.cache.model.search import StaleAnswer

ReaderStep = tuple[str, Reader, State]


class Generations:
    """The protocol. What weakens it overrides one of the rules, which stand first."""

    marks_after_commit = False
    compares_when_resolving = True
    joins_only_what_passed = True

    def __init__(self, *, writers: int = 2, readers: int = 2) -> None:
        self._writers = writers
        self._readers = readers

    def drawn(self) -> int:
        return UNKNOWN

    def marked(self, guard: int, xid: int) -> int:
        """The guard after a mark, from the one before; an absent record counts as one just drawn."""
        return UNKNOWN if guard == UNKNOWN else max(guard, xid + 1)

    def bounds(self, server: Server) -> Iterable[int]:
        """What a reader may resolve an unknown horizon to: above every xid that was ever given."""
        return (server.next_xid,)

    def snapshots(self, server: Server) -> Iterable[Snapshot]:
        """What a reader may read from: the primary, or a replica that lags as far as it likes."""
        return server.snapshots()

    def may_keep(self, guard: int, xmin: int) -> bool:
        return xmin >= guard

    def may_show(self, snapshot: Snapshot, server: Server, *, passed: bool) -> bool:
        """Whether it is an answer at all: a replica that has not seen the horizon is left for the primary."""
        return passed or snapshot == server.snapshot()

    def may_wait_for(self, reading: Reader, waiting: Reader) -> bool:
        """Whether who has looked up the record waits for another's reading, to be given its answer."""
        return waiting.value == reading.value

    def by_itself(self, state: State) -> Iterator[tuple[str, State]]:
        """What happens to the cache without anybody's doing."""
        if state.record is not None:
            yield "the cache is flushed", state._replace(record=None, entries=())

    def initial(self) -> State:
        return State(Server(), None, (), (Reader(),) * self._readers)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        for label, after in self._all_steps(state):
            yield label, canonical(after, bounds_outlive_values=not self.compares_when_resolving)

    def _all_steps(self, state: State) -> Iterator[tuple[str, State]]:
        yield from self.steps_of_others(state)
        for place, reader in enumerate(state.readers):
            if place == 0 or reader != state.readers[place - 1]:
                others = (*state.readers[:place], *state.readers[place + 1 :])
                for label, after, changed in self.steps_of_reader(state, reader, others):
                    yield label, changed._replace(readers=(after, *others))

    def steps_of_others(self, state: State) -> Iterator[tuple[str, State]]:
        """The steps of the cache and of writers."""
        yield from self.by_itself(state)
        if len(state.server.writers) < self._writers:
            yield f"writer {state.server.next_xid} begins", state._replace(server=state.server.begin())
        for xid, phase in enumerate(state.server.writers, start=1):
            yield from self._steps_of_writer(state, xid, phase)

    # Writers

    def _steps_of_writer(self, state: State, xid: int, phase: str) -> Iterator[tuple[str, State]]:
        server = state.server
        if phase in (RUNNING, MARKED):
            rolled_back = server.end(xid, OVER, committed=False)
            yield f"writer {xid} rolls back or crashes", state._replace(server=rolled_back)
        if phase == (COMMITTED if self.marks_after_commit else RUNNING):
            yield f"writer {xid} marks", self.mark(state, xid)
        if phase == (RUNNING if self.marks_after_commit else MARKED):
            yield f"writer {xid} commits", state._replace(server=server.end(xid, COMMITTED, committed=True))

    def mark(self, state: State, xid: int) -> State:
        guard = state.record.guard if state.record else self.drawn()
        record = Record(fresh_value(state), self.marked(guard, xid))
        phase = OVER if self.marks_after_commit else MARKED
        return state._replace(server=state.server.turn(xid, phase), record=record)

    # Readers: each step is the label, the reader after it, and the state with whatever else it changes

    def steps_of_reader(self, state: State, reader: Reader, others: tuple[Reader, ...]) -> Iterator[ReaderStep]:
        if reader.phase in (IDLE, ABSENT):
            yield self._look(state, reader)
        elif reader.phase == LOOKED:
            self._judge_answers(state, reader, others)
            phase = UNRESOLVED if reader.guard == UNKNOWN else RESOLVED
            yield "a reader finds nothing kept", Reader(phase, reader.value, reader.guard), state
        elif reader.phase == UNRESOLVED:
            for bound in self.bounds(state.server):
                yield f"a reader takes the bound {bound}", Reader(BOUND, reader.value, bound), state
        elif reader.phase == BOUND:
            yield self._resolve(state, reader)
        elif reader.phase == RESOLVED:
            yield from self._read(state, reader, others)
        elif reader.passed:
            kept = dict(state.entries) | {reader.value: reader.shown}
            yield "a reader fills", Reader(), state._replace(entries=tuple(kept.items()))

    def _look(self, state: State, reader: Reader) -> ReaderStep:
        record = state.record
        if reader.phase == ABSENT:
            drawn = record or Record(fresh_value(state), self.drawn())
            return "a reader draws", Reader(LOOKED, *drawn, reader.began), state._replace(record=drawn)
        if record is None:
            return "a reader finds no record", Reader(ABSENT, began=state.server.committed), state
        return "a reader sees the record", Reader(LOOKED, *record, state.server.committed), state

    def _resolve(self, state: State, reader: Reader) -> ReaderStep:
        """Compare-and-set by value; who finds the same value resolved by another goes by that horizon."""
        record = state.record
        if record is None or (record.value != reader.value and self.compares_when_resolving):
            return "a reader resolves in vain", Reader(), state
        if record.guard == UNKNOWN:
            record = record._replace(guard=reader.guard)
        return f"a reader resolves to {record.guard}", Reader(RESOLVED, *record), state._replace(record=record)

    def _read(self, state: State, reader: Reader, others: tuple[Reader, ...]) -> Iterator[ReaderStep]:
        for snapshot in self.snapshots(state.server):
            passed = self.may_keep(reader.guard, snapshot.xmin)
            is_shown = self.may_show(snapshot, state.server, passed=passed)
            for other in others:
                if is_shown and other.phase == LOOKED and self.may_wait_for(reader, other):
                    judge("a reader is given what was begun after it came", snapshot.shown, other.began)
            answer = Reader(ANSWERED, reader.value, shown=snapshot.shown, passed=passed)
            useful = passed or (is_shown and not self.joins_only_what_passed)
            yield f"a reader reads what shows {snapshot.shown}", answer if useful else Reader(), state

    def _judge_answers(self, state: State, reader: Reader, others: tuple[Reader, ...]) -> None:
        """Every answer that this reader may be given now must show what was committed when it began to look."""
        for value, shown in state.entries:
            if value == reader.value:
                judge("the reader is given what was kept", shown, reader.began)
        for other in others:
            if other.phase == ANSWERED and other.value == reader.value:
                judge("the reader joins another's query", other.shown, reader.began)


def judge(label: str, shown: Collection[int], began: Collection[int]) -> None:
    """Raises `StaleAnswer` for an answer that does not show all that was committed when its reader began."""
    if lacking := set(began) - set(shown):
        raise StaleAnswer(f"{label}: it lacks {sorted(lacking)}")
