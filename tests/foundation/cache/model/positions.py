"""The position of a session's last write, for clients that send no token.

One session. Each of its writes commits at the next position of the primary's log. A record holds how far a
replica must have come to be read from; an answer from one that came no further must show every write that was
answered before the read began. A crash between commit and answer is a writer that does nothing more.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.foundation.cache.model.search import StaleAnswer
from tests.foundation.cache.model.switch import Switch, Switching

UNKNOWN = -1
NO_VALUE = -1
AT_WORK, RAISED, ANSWERED = -1, -2, -3
"""A writer that has committed and done nothing more, or raised the record, or answered; else it is the version
with which it turned the cache off."""
SAW, HAS_POSITION = "saw", "has a position"


class Record(NamedTuple):
    """A session's record in the cache."""

    value: int
    position: int


class Reader(NamedTuple):
    """A reader that found no position, reads from the primary, and makes one known for the next."""

    phase: str
    epoch: int
    value: int
    position: int = UNKNOWN


class State(NamedTuple):
    switch: Switch
    writers: tuple[int, ...]
    """How far each has come that has committed; the first one did so at position 1."""
    kept: tuple[Record | None, ...]
    """For each epoch."""
    saved: tuple[Record | None, ...] | None
    readers: tuple[Reader, ...]

    @property
    def position(self) -> int:
        return len(self.writers)

    @property
    def answered(self) -> int:
        """The position of the last write that was answered."""
        return max((at for at, phase in enumerate(self.writers, start=1) if phase == ANSWERED), default=0)


class Positions(Switching):
    """The protocol, much as a generation's. What weakens it overrides one of the rules, which stand first."""

    def __init__(
        self, *, writers: int = 2, readers: int = 2, servers: int = 2, last_version: int = 2, restarts: int = 1
    ) -> None:
        super().__init__(servers=servers, last_version=last_version)
        self._writers = writers
        self._readers = readers
        self._restarts = restarts

    def raised(self, record: Record | None, position: int, *, fresh: int) -> Record | None:
        """The record after a writer raised it. What is unknown stays so, under another value."""
        if record is None or record.position == UNKNOWN:
            return Record(fresh, UNKNOWN)
        return record._replace(position=max(record.position, position))

    def drawn(self, fresh: int) -> Record | None:
        """What a reader puts where there is no record."""
        return Record(fresh, UNKNOWN)

    def may_answer(self, phase: int, switch: Switch) -> bool:
        """When the record is raised, or the cache is off and every server knows."""
        return phase == RAISED or (phase > 0 and self.wait_is_over(switch, phase))

    def positions(self, state: State) -> range:
        """What a reader may take for the primary's position: what it is now, since it saw the record before."""
        return range(state.position, state.position + 1)

    def initial(self) -> State:
        return State(self.switched_on(), (), (None,) * self.epochs, None, ())

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        for label, after in self._all_steps(state):
            yield label, canonical(after)

    def _all_steps(self, state: State) -> Iterator[tuple[str, State]]:
        for label, switch in self.steps_of_switch(state.switch):
            yield label, state._replace(switch=switch)
        yield from self._steps_of_cache(state)
        if state.position < self._writers:
            committed = state._replace(writers=(*state.writers, AT_WORK))
            yield f"a writer commits at {committed.position}", committed
        for at, phase in enumerate(state.writers, start=1):
            yield from self._steps_of_writer(state, at, phase)
        for epoch in self.usable_epochs(state.switch):
            yield from self._look(state, epoch)
        for place, reader in enumerate(state.readers):
            others = (*state.readers[:place], *state.readers[place + 1 :])
            yield from self._steps_of_reader(state._replace(readers=others), reader)

    def _steps_of_cache(self, state: State) -> Iterator[tuple[str, State]]:
        yield "the cache is flushed", state._replace(kept=(None,) * self.epochs)
        if state.switch.run < self._restarts and state.saved is None:
            yield "the cache saves what it holds", state._replace(saved=state.kept)
        elif state.switch.run < self._restarts:
            switch = state.switch._replace(run=state.switch.run + 1)
            restarted = state._replace(kept=state.saved, saved=None, switch=switch)
            yield "the cache starts again with what it saved", restarted

    # Writers

    def _steps_of_writer(self, state: State, at: int, phase: int) -> Iterator[tuple[str, State]]:
        def turn(after: State, phase: int) -> State:
            return after._replace(writers=(*after.writers[: at - 1], phase, *after.writers[at:]))

        if phase == AT_WORK:
            for epoch in self.usable_epochs(state.switch):
                record = self.raised(state.kept[epoch], at, fresh=fresh_value(state))
                raised = with_record(state, epoch, record)
                yield f"the writer at {at} raises the record in epoch {epoch}", turn(raised, RAISED)
            if self.may_turn_off(state.switch):
                switch = self.turned_off(state.switch)
                off = turn(state._replace(switch=switch), switch.version)
                yield f"the writer at {at} can't raise and turns the cache off", off
        if phase != ANSWERED and self.may_answer(phase, state.switch):
            yield f"the writer at {at} answers", turn(state, ANSWERED)

    # Readers

    def _look(self, state: State, epoch: int) -> Iterator[tuple[str, State]]:
        record = state.kept[epoch]
        if record is not None and record.position != UNKNOWN:
            if record.position < state.answered:
                label = f"a reader finds position {record.position} in epoch {epoch}"
                raise StaleAnswer(f"{label}: {state.answered} was answered")
        elif len(state.readers) < self._readers:
            record = record or self.drawn(fresh_value(state))
            reader = Reader(SAW, epoch, record.value if record else NO_VALUE)
            after = with_record(state, epoch, record)._replace(readers=(*state.readers, reader))
            yield f"a reader finds no position in epoch {epoch}", after

    def _steps_of_reader(self, state: State, reader: Reader) -> Iterator[tuple[str, State]]:
        if reader.phase == SAW:
            for position in self.positions(state):
                after = reader._replace(phase=HAS_POSITION, position=position)
                yield f"a reader takes position {position}", state._replace(readers=(*state.readers, after))
            return
        record = state.kept[reader.epoch]
        label = f"a reader makes position {reader.position} known"
        if record is None and reader.value == NO_VALUE:
            drawn = Record(fresh_value(state), reader.position)
            yield label, with_record(state, reader.epoch, drawn)
        elif record is not None and record == (reader.value, UNKNOWN):
            yield label, with_record(state, reader.epoch, record._replace(position=reader.position))
        else:
            yield f"{label} in vain", state


def with_record(state: State, epoch: int, record: Record | None) -> State:
    return state._replace(kept=(*state.kept[:epoch], record, *state.kept[epoch + 1 :]))


def records(state: State) -> list[Record]:
    return [record for record in (*state.kept, *(state.saved or ())) if record]


def fresh_value(state: State) -> int:
    return 1 + max([0, *(each.value for each in (*records(state), *state.readers))])


def canonical(state: State) -> State:
    """Values are only equal or not: they are named by where they stand first. Known positions need none."""
    names = {NO_VALUE: NO_VALUE}

    def renamed(record: Record | None) -> Record | None:
        if record is None or record.position != UNKNOWN:
            return record and record._replace(value=0)
        return record._replace(value=names.setdefault(record.value, len(names)))

    kept = tuple(renamed(record) for record in state.kept)
    saved = state.saved and tuple(renamed(record) for record in state.saved)
    readers = [reader._replace(value=names[reader.value]) for reader in state.readers if reader.value in names]
    return state._replace(kept=kept, saved=saved, readers=tuple(sorted(readers)))
