"""How long guesses wait: what a patient thief gets out of it, and what the owner feels of it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from midrise.modules.identity.log_in_attempts.model import (
    CODES_OF_ACCOUNT,
    PASSWORDS_FROM_ADDRESS,
    PASSWORDS_OF_ACCOUNT,
    Attempts,
    Limit,
    network_of,
    recent,
    wait_seconds,
)

START = datetime(2026, 11, 27, tzinfo=UTC)
DAY = timedelta(hours=24)
LIMITS = pytest.mark.parametrize(
    "limit", [PASSWORDS_OF_ACCOUNT, CODES_OF_ACCOUNT, PASSWORDS_FROM_ADDRESS], ids=lambda limit: limit.name
)


@dataclass
class Door:
    """A place that is guessed at, with a clock of its own."""

    limit: Limit
    now: datetime = START
    attempts: Attempts = field(default_factory=lambda: Attempts([], 0))
    heard: list[datetime] = field(default_factory=list)

    def wait(self) -> int:
        return wait_seconds(recent(self.attempts, self.limit, now=self.now), self.limit, now=self.now)

    def guess_wrong(self) -> None:
        assert self.wait() == 0
        counted = recent(self.attempts, self.limit, now=self.now)
        self.attempts = Attempts([*counted.made_at, self.now], counted.streak + 1)
        self.heard.append(self.now)

    def guess_when_heard(self) -> None:
        self.now += timedelta(seconds=self.wait())
        self.guess_wrong()

    def log_in(self) -> None:
        self.attempts = Attempts(self.attempts.made_at, 0)

    def most_heard_in(self, window: timedelta) -> int:
        """The most guesses that were heard in any stretch of time as long as that."""
        return max(sum(start <= moment < start + window for moment in self.heard) for start in self.heard)


@LIMITS
def test_a_thief_who_never_rests_gets_no_more_than_the_most(limit):
    door = Door(limit)
    while door.now < START + 3 * limit.window:
        door.guess_when_heard()
    assert door.most_heard_in(limit.window) <= limit.most


def test_nor_where_the_owner_logs_in_all_the_time():
    door = Door(PASSWORDS_OF_ACCOUNT)
    while door.now < START + 3 * DAY:
        door.guess_when_heard()
        door.log_in()
        door.now += timedelta(milliseconds=1)
    assert door.most_heard_in(DAY) == 100


@LIMITS
def test_nobody_waits_where_nothing_is_suspicious(limit):
    for kept in range(limit.unsuspicious):
        for streak in range(min(limit.free, kept + 1)):
            assert wait_seconds(Attempts([START] * kept, streak), limit, now=START) == 0


@LIMITS
def test_the_first_ones_do_not_wait(limit):
    door = Door(limit)
    for _ in range(limit.free):
        door.guess_wrong()
    assert door.wait() == 1


def test_each_next_one_waits_twice_as_long_up_to_the_longest():
    door, waits = Door(PASSWORDS_OF_ACCOUNT), []
    for _ in range(10):
        door.guess_wrong()
    for _ in range(14):
        waits.append(door.wait())
        door.guess_when_heard()
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1200, 1200, 1200]


def test_after_a_right_one_nobody_waits():
    door = Door(PASSWORDS_OF_ACCOUNT)
    for _ in range(12):
        door.guess_when_heard()
    door.log_in()
    for _ in range(10):
        door.guess_wrong()


@LIMITS
def test_nobody_is_kept_out_for_good(limit):
    door = Door(limit)
    while door.now < START + 2 * limit.window:
        door.guess_when_heard()
    assert door.wait() <= limit.window.total_seconds()
    door.now += limit.window
    assert door.wait() == 0
    for _ in range(limit.free):
        door.guess_wrong()


def test_an_address_is_never_slower_than_a_quarter_of_a_minute_before_its_most():
    door = Door(PASSWORDS_FROM_ADDRESS)
    for _ in range(100):
        door.guess_when_heard()
    assert door.wait() == 15


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_a_subscriber_is_one_address(address, network):
    assert network_of(address) == network
