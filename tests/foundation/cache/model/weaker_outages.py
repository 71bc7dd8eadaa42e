"""The protocol of the off switch with one rule changed, each of which lets a stale answer through."""

from tests.foundation.cache.model.outages import Outages
from tests.foundation.cache.model.switch import Switch


class NoWait(Outages):
    """A writer that has turned the cache off does not wait until every server knows."""

    def wait_is_over(self, switch: Switch, version: int) -> bool:  # noqa: ARG002  that is what is wrong with it
        return True


class NoWaitIfOffAlready(Outages):
    """A writer that finds the cache turned off by another does not wait for the servers that don't know yet."""

    def waits_from(self, before: Switch, after: Switch) -> int:
        return 0 if before.is_off else after.version


class TurnedOnWithoutAWait(Outages):
    """The cache is turned on while servers may still go by their poll of the epoch before."""

    def may_turn_on(self, switch: Switch, *, locked: bool) -> bool:
        return switch.is_off and not locked


class TurnedOnAfterTheWaitOfAnEarlierOff(Outages):
    """Who turns the cache on sees it off, but not whether it has been on since its wait began."""

    def may_turn_on(self, switch: Switch, *, locked: bool) -> bool:
        return switch.is_off and switch.is_over(1) and not locked


class TurnedOnWithoutANewEpoch(Outages):
    """Keys are the same after an outage as before it."""

    def epoch(self, version: int) -> int:  # noqa: ARG002  the same
        return 0


class PollsYoungByTheirAnswer(Outages):
    """A poll's age is counted from its answer: one that took long brings what was so before the wait."""

    def heard(self, switch: Switch) -> range:
        return range(switch.version + 1)


class EpochNotBoundToARun(Outages):
    """A cache that was started again from what it had saved is taken for the one it was."""

    def serves(self, switch: Switch, epoch: int) -> bool:  # noqa: ARG002  the same
        return True


WEAKER = (
    *(NoWait, NoWaitIfOffAlready, TurnedOnWithoutAWait, TurnedOnAfterTheWaitOfAnEarlierOff),
    *(TurnedOnWithoutANewEpoch, PollsYoungByTheirAnswer, EpochNotBoundToARun),
)
