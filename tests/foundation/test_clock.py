"""The one place that asks what time it is."""

from datetime import UTC

from midrise.foundation import clock


def test_the_present_moment_is_in_utc():
    assert clock.now().tzinfo is UTC


def test_both_clocks_show_the_same_time():
    before, shown, after = clock.now().timestamp(), clock.timestamp(), clock.now().timestamp()
    assert before - 1 <= shown <= after + 1
