"""The search through every order of steps that a machine allows, or through some where all are too many.

A machine says what it begins with and which steps each state allows. A step that gives a stale answer raises
`StaleAnswer`: then the search ends, with the shortest way that leads there.
"""

import random
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

State = TypeVar("State", bound=Hashable)


class StaleAnswer(Exception):
    """This step gave an answer that lacks what had to be in it; the text says which step."""


class Machine(Protocol[State]):
    """What a search needs to know. States are canonical: two that differ in names only are equal."""

    def initial(self) -> State: ...

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Each step that may be next, and the state after it. Raises `StaleAnswer`."""
        ...


@dataclass(frozen=True)
class Search:
    """How a search ended: how much it saw, and the way to a stale answer, empty where it found none."""

    states: int
    steps: int
    way: tuple[str, ...] = ()

    @property
    def found_stale_answer(self) -> bool:
        return bool(self.way)


def search_all(machine: Machine[State]) -> Search:
    """Every state that can be reached, the nearest first."""
    first = machine.initial()
    came_from: dict[State, tuple[State, str] | None] = {first: None}
    newest, steps = [first], 0
    while newest:
        reached = []
        for state in newest:
            try:
                for label, after in machine.steps(state):
                    steps += 1
                    if after not in came_from:
                        came_from[after] = (state, label)
                        reached.append(after)
            except StaleAnswer as stale:
                return Search(len(came_from), steps, (*_way_to(state, came_from), str(stale)))
        newest = reached
    return Search(len(came_from), steps)


def search_some(machine: Machine[State], *, seed: int, ways: int, longest: int) -> Search:
    """Random ways from the start, always the same for a seed."""
    choices = random.Random(seed)
    seen: set[State] = set()
    steps = 0
    for _ in range(ways):
        state, way = machine.initial(), []
        for _ in range(longest):
            try:
                label, state = choices.choice(list(machine.steps(state)))
            except StaleAnswer as stale:
                return Search(len(seen), steps, (*way, str(stale)))
            way.append(label)
            seen.add(state)
            steps += 1
    return Search(len(seen), steps)


def _way_to(state: State, came_from: dict[State, tuple[State, str] | None]) -> list[str]:
    way = []
    while (before := came_from[state]) is not None:
        state, label = before
        way.append(label)
    return way[::-1]
