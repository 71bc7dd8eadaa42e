"""How long the next guess waits, after how many wrong ones."""

import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from midrise.foundation.errors import TooMany

_NETWORK_BITS = 64  # one subscriber has a whole /64 of IPv6 (RFC 6177)


class TooManyAttempts(TooMany):
    """There were too many wrong guesses, at this account or from this address. `Retry-After` says when the next
    one is heard; a forgotten password can be reset at any time."""

    code = "too_many_attempts"
    title = "Too many attempts"
    detail = "Try again in {retry_after_seconds} s"


@dataclass(frozen=True, slots=True)
class Limit:
    """How guesses at one thing are slowed down.

    After ``free`` wrong ones each next waits twice as long as the one before, from a second to
    ``longest_wait``; no more than ``most`` are heard within ``window``. Where ``is_reset_by_success``, a right
    one ends the waiting; what it does not do is make room within ``most``, since the owner's log-ins would then
    make room for a thief's guesses.
    """

    name: str
    free: int
    longest_wait: timedelta
    window: timedelta
    most: int
    is_reset_by_success: bool

    @property
    def unsuspicious(self) -> int:
        """Where fewer attempts than that are kept, and fewer than ``free`` came since a right one, the next is
        heard at once, whenever they were made: `wait_seconds` need not be asked."""
        return self.most if self.is_reset_by_success else min(self.free, self.most)


PASSWORDS_OF_ACCOUNT = Limit(
    "account",
    free=10,
    longest_wait=timedelta(minutes=20),
    window=timedelta(hours=24),
    most=100,
    is_reset_by_success=True,
)
CODES_OF_ACCOUNT = Limit(
    "code",
    free=5,
    longest_wait=timedelta(minutes=30),
    window=timedelta(hours=24),
    most=50,
    is_reset_by_success=True,
)
"""Of a million codes three are right at any time: fifty guesses a day hit with a chance of 1 in 6,667."""
PASSWORDS_FROM_ADDRESS = Limit(
    "address",
    free=50,
    longest_wait=timedelta(seconds=15),
    window=timedelta(hours=1),
    most=400,
    is_reset_by_success=False,
)
"""Generous, and never slow: behind one address there may be a whole office, and one who guesses in it."""

LONGEST_WINDOW = max(limit.window for limit in (PASSWORDS_OF_ACCOUNT, CODES_OF_ACCOUNT, PASSWORDS_FROM_ADDRESS))


@dataclass(frozen=True, slots=True)
class Attempts:
    """The guesses at one thing that were wrong or are not judged yet, oldest first."""

    made_at: Sequence[datetime]
    streak: int
    """How many of them came since the last right one."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A guess that is counted as wrong until it turns out right: the places it is counted at, and as when."""

    made_at: Mapping[bytes, datetime]


def recent(attempts: Attempts, limit: Limit, *, now: datetime) -> Attempts:
    """Those that still count."""
    made_at = [moment for moment in attempts.made_at if moment > now - limit.window]
    return Attempts(made_at, min(attempts.streak, len(made_at)))


def wait_seconds(counted: Attempts, limit: Limit, *, now: datetime) -> int:
    """How long the next guess has to wait; 0 where it is heard at once."""
    if not counted.made_at:
        return 0
    slowing = counted.streak if limit.is_reset_by_success else len(counted.made_at)
    due = counted.made_at[-1] + _pause_after(slowing, limit)
    if len(counted.made_at) >= limit.most:
        due = max(due, counted.made_at[-limit.most] + limit.window)
    return max(0, math.ceil((due - now).total_seconds()))


def network_of(address: str) -> str:
    """What is counted as one address: for IPv6 the /64 that one subscriber has."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, _NETWORK_BITS), strict=False))


def _pause_after(wrong: int, limit: Limit) -> timedelta:
    if wrong < limit.free:
        return timedelta(0)
    doublings = min(wrong - limit.free, 30)  # more would only make a number that no time holds
    return min(timedelta(seconds=2**doublings), limit.longest_wait)
