"""No outage of the cache, and no return of an old one, gives a stale answer; every rule is needed for that."""

import pytest
from tests.foundation.cache.model import late_xids, weaker_outages
from tests.foundation.cache.model.late_xids import LateXids
from tests.foundation.cache.model.outages import Outages
from tests.foundation.cache.model.search import search_all

WEAKER = (*weaker_outages.WEAKER, *late_xids.WEAKER)

SIZES = {
    "one start with old content": {"last_version": 2, "restarts": 1},
    "two outages": {"last_version": 4, "restarts": 0},
}
LARGER_SIZES = {
    "two outages and one start with old content": {"last_version": 4, "restarts": 1},
    "two outages and three servers": {"last_version": 4, "restarts": 0, "servers": 3},
    "three writers": {"last_version": 2, "restarts": 0, "writers": 3},
}


@pytest.mark.parametrize("protocol", [Outages, LateXids], ids=lambda protocol: protocol.__name__)
@pytest.mark.parametrize("size", SIZES)
def test_no_answer_is_stale_around_an_outage(protocol, size, report_search) -> None:
    searched = search_all(protocol(**SIZES[size]))
    report_search(f"{protocol.__name__}, {size}", searched)
    assert searched.way == ()


@pytest.mark.drill
@pytest.mark.parametrize("size", LARGER_SIZES)
def test_no_answer_is_stale_around_more_outages(size, report_search) -> None:
    searched = search_all(Outages(**LARGER_SIZES[size]))
    report_search(f"Outages, {size}", searched)
    assert searched.way == ()


@pytest.mark.parametrize("weaker", WEAKER, ids=lambda weaker: weaker.__name__)
def test_without_one_of_its_rules_a_stale_answer_is_found(weaker, report_search) -> None:
    searched = search_all(weaker(restarts=int(weaker is weaker_outages.EpochNotBoundToARun)))
    report_search(f"{weaker.__name__}: stale by {' · '.join(searched.way)}", searched)
    assert searched.found_stale_answer
