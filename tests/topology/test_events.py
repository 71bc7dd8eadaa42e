"""Events on their way between processes."""

import pytest

from midrise.topology.errors import Refused
from midrise.topology.events import (
    Administrator,
    Began,
    Done,
    Event,
    Failed,
    Finished,
    Noted,
    ProcessStatus,
    Raised,
    Status,
    decode,
    encode,
    timed,
)


@pytest.mark.parametrize(
    "event",
    [
        Began("api.1", "starting"),
        Finished("api.1", "starting", 1.5),
        Noted("বাংলা\nand a new line"),
        Raised("http://here", 2.5, Administrator("a@b.example", None)),
        Raised("http://here", 2.5, None),
        Failed("no"),
        Done(""),
        Status("http://here", ready=False, processes=(ProcessStatus("api.1", None, "restarting", 3),)),
    ],
)
def test_an_event_arrives_as_it_was_sent_on_one_line(event: Event) -> None:
    line = encode(event)
    assert line.count(b"\n") == 1
    assert decode(line) == event


def test_work_is_told_when_it_begins_and_when_it_is_done() -> None:
    told: list[Event] = []
    with timed("valkey", "starting", tell=told.append):
        assert told == [Began("valkey", "starting")]
    assert isinstance(told[1], Finished)


def test_work_that_fails_is_not_told_as_done() -> None:
    told: list[Event] = []
    with pytest.raises(Refused), timed("valkey", "starting", tell=told.append):
        raise Refused("no")
    assert told == [Began("valkey", "starting")]
