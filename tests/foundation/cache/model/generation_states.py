"""The states of the model of the generations, and when two of them are the same.

States that differ in names only are equal: readers are interchangeable, and a value is just a value. What can't
be seen any more is left out, and so is a reader that can't change anything until it begins anew.
"""

from typing import NamedTuple

from tests.foundation.cache.model.postgresql import Server

UNKNOWN = -1
"""The horizon of a record that nobody has resolved yet."""

NO_VALUE = -1
CURRENT = 0
"""The name of the record's value in a canonical state; values that were replaced are 1, 2, …"""

IDLE, ABSENT, LOOKED, UNRESOLVED, BOUND, RESOLVED, ANSWERED = range(7)


class Record(NamedTuple):
    """A generation in the cache. What the guard says is the protocol's matter; here a horizon."""

    value: int
    guard: int


class Reader(NamedTuple):
    """Somebody who wants an answer; ``began`` is what was committed when the look-up began."""

    phase: int = IDLE
    value: int = NO_VALUE
    guard: int = 0
    began: tuple[int, ...] = ()
    shown: tuple[int, ...] = ()
    """What the answer shows that was read from a server."""
    passed: bool = False
    """Whether that answer may be kept, and given to others."""


class State(NamedTuple):
    server: Server
    record: Record | None
    entries: tuple[tuple[int, tuple[int, ...]], ...]
    """The kept answers: under which value, showing which writes."""
    readers: tuple[Reader, ...]


IDLER = Reader()
VALUE = Reader._fields.index("value")


def fresh_value(state: State) -> int:
    """A value that stands nowhere yet."""
    taken = [reader.value for reader in state.readers]
    return max([CURRENT, *taken, *(value for value, _ in state.entries)]) + 1


def canonical(state: State, *, bounds_outlive_values: bool) -> State:
    """The one state that stands for all that differ from this in names only.

    ``bounds_outlive_values``: a bound is set whatever the record's value is by then, as in a weakened protocol.
    """
    current = state.record.value if state.record else NO_VALUE
    watched = _watched(state, current)
    readers = [
        reader
        if reader.value in watched
        or reader.phase == ABSENT
        or (bounds_outlive_values and reader.phase == BOUND)
        else IDLER
        for reader in state.readers
    ]
    readers.sort(key=lambda reader: (reader.value != current, reader.phase, reader[VALUE + 1 :]))
    names = {current: CURRENT, NO_VALUE: NO_VALUE}
    for reader in readers:
        names.setdefault(reader.value, len(names) - 1 + (current == NO_VALUE))
    renamed = [
        reader if reader.value == names[reader.value] else reader._replace(value=names[reader.value])
        for reader in readers
    ]
    entries = sorted((names[value], shown) for value, shown in state.entries if value in watched)
    record = state.record and state.record._replace(value=CURRENT)
    return State(state.server, record, tuple(entries), tuple(renamed))


def _watched(state: State, current: int) -> set[int]:
    """The values under which an answer can still be given: the present one, and such as a reader has looked up
    before and for which another may bring, or has brought, an answer."""
    watched = {current} - {NO_VALUE}
    for reader in state.readers:
        if reader.phase == LOOKED and reader.value not in watched:
            others = sum(
                other.value == reader.value
                and (other.phase in (RESOLVED, ANSWERED) or (other.phase == LOOKED and other.guard != UNKNOWN))
                for other in state.readers
            ) - (reader.guard != UNKNOWN)
            if others or any(value == reader.value for value, _ in state.entries):
                watched.add(reader.value)
    return watched
