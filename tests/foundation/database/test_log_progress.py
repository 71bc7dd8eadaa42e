"""How long ago the primary went on from a place, by a clock of the test's own."""

import pytest

from midrise.foundation.database.log_progress import LogProgress

POLL_SECONDS = 0.05
HOUR = 3600.0


def test_a_replica_that_is_still_for_hours_reads_as_far_behind_as_it_is():
    progress, told = LogProgress(), []
    for poll in range(int(2 * HOUR / POLL_SECONDS)):
        progress.note(1000 + poll, now=poll * POLL_SECONDS)
        if poll % 2000 == 1000:
            told.append((progress.seconds_behind(1500, now=poll * POLL_SECONDS, at_most=None), poll))
    since = 501 * POLL_SECONDS
    for lag, poll in told:
        assert lag == pytest.approx(max(poll * POLL_SECONDS - since, 0), rel=0.06, abs=0.1)
    assert len(progress) < 1000


def test_a_replica_that_has_everything_is_not_behind_however_long_nothing_happened():
    progress = LogProgress()
    progress.note(1000, now=0)
    assert progress.seconds_behind(1000, now=HOUR, at_most=HOUR) == 0
    progress.note(1001, now=HOUR)
    assert progress.seconds_behind(1000, now=HOUR + 0.5, at_most=HOUR) == 0.5


def test_what_is_before_everything_remembered_is_as_old_as_the_replica_says_and_no_younger_than_that():
    progress = LogProgress()
    progress.note(1000, now=0)
    assert progress.seconds_behind(10, now=2, at_most=2 * HOUR) == 2 * HOUR
    assert progress.seconds_behind(10, now=HOUR, at_most=7) == HOUR
    assert progress.seconds_behind(10, now=HOUR, at_most=None) == HOUR


def test_another_history_is_begun_anew():
    progress = LogProgress()
    assert progress.note(1000, now=0)
    assert not progress.note(500, now=HOUR)
    assert progress.note(600, now=HOUR + 1)
    assert progress.seconds_behind(500, now=HOUR + 3, at_most=None) == 2
