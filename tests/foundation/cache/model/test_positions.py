"""A session never misses a write that it was told of, and every rule of its position is needed for that."""

import pytest
from tests.foundation.cache.model.positions import Positions
from tests.foundation.cache.model.search import search_all
from tests.foundation.cache.model.weaker_positions import WEAKER, EpochNotBoundToARun

SIZES = {
    "two readers": {"readers": 2, "restarts": 0},
    "one start with old content": {"readers": 2, "writers": 1, "restarts": 1},
}
LARGER_SIZES = {
    "two readers and one start with old content": {"readers": 2, "restarts": 1},
    "two outages": {"readers": 2, "restarts": 0, "last_version": 4},
    "three writers": {"readers": 2, "restarts": 0, "writers": 3},
}


@pytest.mark.parametrize("size", SIZES)
def test_no_answered_write_is_missed(size, report_search) -> None:
    searched = search_all(Positions(**SIZES[size]))
    report_search(f"positions, {size}", searched)
    assert searched.way == ()


@pytest.mark.drill
@pytest.mark.parametrize("size", LARGER_SIZES)
def test_no_answered_write_is_missed_among_more(size, report_search) -> None:
    searched = search_all(Positions(**LARGER_SIZES[size]))
    report_search(f"positions, {size}", searched)
    assert searched.way == ()


@pytest.mark.parametrize("weaker", WEAKER, ids=lambda weaker: weaker.__name__)
def test_without_one_of_its_rules_an_answered_write_is_missed(weaker, report_search) -> None:
    searched = search_all(weaker(restarts=int(weaker is EpochNotBoundToARun)))
    report_search(f"{weaker.__name__}: missed by {' · '.join(searched.way)}", searched)
    assert searched.found_stale_answer
