"""Tallies show Prometheus what its own metrics would."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from midrise.foundation.observability.tallies import TalliedDurations, Tallies

BOUNDS = (0.001, 0.5, 1)


def told(registry: CollectorRegistry) -> list[str]:
    """All but when a metric was made, which says nothing of what was measured."""
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


@pytest.mark.parametrize("taken", [(), (0.0,), (0.001, 0.0011, 0.5, 0.75, 1, 7)])
def test_durations_are_told_as_by_a_histogram(taken):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    durations = TalliedDurations("took", "How long", ["method", "route"], bounds=BOUNDS, registry=ours)
    histogram = Histogram("took", "How long", ["method", "route"], buckets=BOUNDS, registry=theirs)
    for labels in (("GET", '/a"b\n'), ("POST", "/")):
        for seconds in taken:
            durations.of(labels).observe(seconds)
            histogram.labels(*labels).observe(seconds)
    assert told(ours) == told(theirs)


@pytest.mark.parametrize("times", [0, 1, 3])
def test_counts_are_told_as_by_a_counter(times):
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tallies = Tallies("answers_total", "How many", ["outcome"], registry=ours)
    counter = Counter("answers_total", "How many", ["outcome"], registry=theirs)
    for _ in range(times):
        tallies.of(("hit",)).add()
        counter.labels("hit").inc()
    assert told(ours) == told(theirs)


def test_a_name_is_taken_once():
    registry = CollectorRegistry(auto_describe=True)
    Tallies("answers_total", "How many", ["outcome"], registry=registry)
    with pytest.raises(ValueError, match="answers"):
        Tallies("answers_total", "How many", ["outcome"], registry=registry)
