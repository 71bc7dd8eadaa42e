"""The off switch: one row in PostgreSQL that servers poll, to know whether the cache may be used.

The row is a version here. Turning the cache off and on gives it the next one, so an odd version is off, and an
even one is on with an epoch of its own. A server's poll is the version that it read, while it is younger than
D, counted from when it was begun. A wait of D from the moment at which a version was committed is over at the
earliest when every poll of an older version has expired; a newer one may be as young as it likes.
"""

from collections.abc import Iterator
from typing import NamedTuple

EXPIRED = -1


class Switch(NamedTuple):
    """The row, what the servers know of it, and which run of the cache there is."""

    polls: tuple[int, ...]
    runs: tuple[int, ...]
    """For each epoch the run of the cache that it is bound to."""
    run: int = 0
    """The run that is there now. A cache's `run_id` is another after every start."""
    version: int = 0

    @property
    def is_off(self) -> bool:
        return self.version % 2 == 1

    def is_over(self, version: int) -> bool:
        """Whether a wait of D may be over that began when this version was there."""
        return all(poll == EXPIRED or poll >= version for poll in self.polls)


class Switching:
    """The rules of the switch, whatever is kept in the cache. What weakens them overrides one."""

    def __init__(self, *, servers: int = 2, last_version: int = 4) -> None:
        self._servers = servers
        self._last_version = last_version
        self.epochs = last_version // 2 + 1

    def switched_on(self) -> Switch:
        return Switch((0,) * self._servers, (0,) * self.epochs)

    def epoch(self, version: int) -> int:
        """The epoch that stands in every key of a server that has polled this version."""
        return version // 2

    def heard(self, switch: Switch) -> range:
        """The versions that a poll may bring which counts as young."""
        return range(switch.version, switch.version + 1)

    def serves(self, switch: Switch, epoch: int) -> bool:
        """Whether the cache is the run that the polled row names."""
        return switch.runs[epoch] == switch.run

    def may_turn_on(self, switch: Switch, *, locked: bool) -> bool:
        """D after the cache was turned off, and when nobody holds the lock."""
        return switch.is_off and switch.is_over(switch.version) and not locked

    def wait_is_over(self, switch: Switch, version: int) -> bool:
        """Whether a writer may go on that turned the cache off with this version."""
        return switch.is_over(version)

    def usable_epochs(self, switch: Switch) -> set[int]:
        """The epochs in which some server uses the cache now."""
        on = {self.epoch(poll) for poll in switch.polls if poll != EXPIRED and poll % 2 == 0}
        return {epoch for epoch in on if self.serves(switch, epoch)}

    def may_turn_off(self, switch: Switch) -> bool:
        """Only the number of times that a search looks at is bounded."""
        return switch.is_off or switch.version < self._last_version

    def turned_off(self, switch: Switch) -> Switch:
        return switch if switch.is_off else switch._replace(version=switch.version + 1)

    def steps_of_switch(self, switch: Switch, *, locked: bool = False) -> Iterator[tuple[str, Switch]]:
        yield from self._steps_of_polls(switch)
        if not switch.is_off and self.may_turn_off(switch):
            yield "the cache is turned off", self.turned_off(switch)
        if switch.version < self._last_version and self.may_turn_on(switch, locked=locked):
            epoch = self.epoch(switch.version + 1)
            runs = (*switch.runs[:epoch], switch.run, *switch.runs[epoch + 1 :])
            turned_on = switch._replace(version=switch.version + 1, runs=runs)
            yield f"the cache is turned on with epoch {epoch}", turned_on

    def _steps_of_polls(self, switch: Switch) -> Iterator[tuple[str, Switch]]:
        for place, poll in enumerate(switch.polls):
            others = (*switch.polls[:place], *switch.polls[place + 1 :])
            for version in self.heard(switch):
                if version != poll:
                    yield f"a server polls version {version}", with_polls(switch, version, *others)
            if poll != EXPIRED:
                yield f"a poll of version {poll} expires", with_polls(switch, EXPIRED, *others)


def with_polls(switch: Switch, *polls: int) -> Switch:
    """Servers are interchangeable."""
    return switch._replace(polls=tuple(sorted(polls)))
