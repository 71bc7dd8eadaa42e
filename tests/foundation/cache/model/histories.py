"""Single ways through the model of the generations, as lines that say who takes each step.

A search takes states for one where readers have only changed places. Who carries a way out on real servers has
to know which reader it was, so here each keeps its place.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.foundation.cache.model.generation_states import State, canonical
from tests.foundation.cache.model.generations import Generations
from tests.foundation.cache.model.search import StaleAnswer, search_all

History = tuple[str, ...]
"""Steps in their order: ``writer 1 marks``, ``reader 2: a reader fills``, ``the cache is flushed``."""

_PASSED_OVER = {"flushed": 0.8, "begins": 0.6, "commits": 0.6, "crashes": 0.8}
"""How often such a step is drawn in vain, by its last word: else the writers would soon be through, and there
would hardly be time to keep anything between two flushes."""


@dataclass(frozen=True)
class Told:
    """A state in which readers keep their places; equal are those that are one to a search."""

    state: State = field(compare=False)
    same: State


class ToldGenerations:
    """A protocol's machine, whole or weakened, with the same steps in the same states."""

    def __init__(self, protocol: Generations) -> None:
        self._protocol = protocol

    def initial(self) -> Told:
        return self._told(self._protocol.initial())

    def steps(self, told: Told) -> Iterator[tuple[str, Told]]:
        for label, after in self._protocol.steps_of_others(told.state):
            yield label, self._told(after)
        readers = told.state.readers
        for place, reader in enumerate(readers):
            before, after_it = readers[:place], readers[place + 1 :]
            try:
                for label, after, changed in self._protocol.steps_of_reader(
                    told.state, reader, (*before, *after_it)
                ):
                    state = changed._replace(readers=(*before, after, *after_it))
                    yield f"reader {place}: {label}", self._told(state)
            except StaleAnswer as stale:
                raise StaleAnswer(f"reader {place}: {stale}") from None

    def _told(self, state: State) -> Told:
        outlive = not self._protocol.compares_when_resolving
        return Told(state, canonical(state, bounds_outlive_values=outlive))


def random_history(protocol: Generations, *, seed: int, longest: int) -> History:
    """Always the same for a seed; it ends early with a stale answer, where the protocol lets one through."""
    choices = random.Random(seed)
    machine = ToldGenerations(protocol)
    told, history = machine.initial(), []
    while len(history) < longest:
        try:
            label, after = choices.choice(list(machine.steps(told)))
        except StaleAnswer as stale:
            return (*history, str(stale))
        if choices.random() >= _PASSED_OVER.get(label.split()[-1], 0):
            history.append(label)
            told = after
    return tuple(history)


def shortest_to_stale_answer(weaker: Generations) -> History:
    return search_all(ToldGenerations(weaker)).way
