"""What a request may not fall behind, and what it tells the client: the rules without a server."""

import pytest

from midrise.foundation.database.positions import NOWHERE, Consistency, Position

EARLY, LATE = Position(1, 1, 100), Position(1, 1, 200)
ELSEWHERE = Position(1, 2, 50)


def test_what_is_shown_from_the_cache_tells_the_client_where_it_was_read():
    request = Consistency()
    request.note_shown(EARLY)
    assert request.told(None) == EARLY


def test_what_is_shown_from_the_cache_never_takes_a_client_back():
    request = Consistency(required=LATE)
    request.note_shown(EARLY)
    assert request.told(None) == LATE
    request.note_shown(Position(1, 1, 300))
    assert request.told(None) == Position(1, 1, 300)


def test_what_was_read_in_the_request_counts_more_than_what_was_remembered():
    request = Consistency()
    request.note(LATE)
    request.note_shown(EARLY)
    assert request.told(None) == LATE


def test_a_remembered_place_of_another_history_is_told():
    request = Consistency(required=LATE)
    request.note_shown(ELSEWHERE)
    assert request.told(None) == ELSEWHERE


def test_who_knows_nothing_is_told_what_the_server_knows():
    assert Consistency().told(EARLY) == EARLY
    assert Consistency().told(None) == NOWHERE


def test_of_several_snapshots_the_oldest_and_of_several_bounds_the_first_counts():
    request = Consistency()
    for xmin, next_xid in ((20, None), (18, 25), (22, 30)):
        request.note_snapshot(xmin, next_xid=next_xid)
    assert (request.xmin, request.next_xid) == (18, 25)


@pytest.mark.parametrize(
    ("request_", "only_primary"),
    [
        (Consistency(), False),
        (Consistency(known_caller=True), True),
        (Consistency(known_caller=True, own_horizon=7), False),
        (Consistency(known_caller=True, required=EARLY), False),
        (Consistency(is_to_settle=True, required=EARLY), True),
        (Consistency(is_to_settle=True, known_caller=True, own_horizon=7), True),
    ],
)
def test_only_the_primary_will_do_where_nobody_can_say_what_was_written(request_, only_primary):
    assert request_.only_primary is only_primary


def test_a_server_must_have_seen_what_the_caller_wrote_and_what_an_answer_needs_to_be_kept():
    assert Consistency().horizon == 0
    assert Consistency(own_horizon=7, kept_horizon=9).horizon == 9
    assert Consistency(own_horizon=9, kept_horizon=7).horizon == 9
    # Another client of the same session may have written what this one's token says nothing of.
    assert Consistency(own_horizon=9, kept_horizon=7, required=EARLY).horizon == 9
