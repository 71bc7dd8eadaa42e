"""No order of steps gives a stale answer from the cache, and every rule of its protocol is needed."""

import pytest
from tests.foundation.cache.model.generations import Generations
from tests.foundation.cache.model.search import search_all, search_some
from tests.foundation.cache.model.weaker_generations import WEAKER, BoundByXmax


@pytest.mark.parametrize(("writers", "readers"), [(1, 3), (2, 2), (2, 3)])
def test_no_answer_is_stale_in_any_order(writers, readers, report_search) -> None:
    searched = search_all(Generations(writers=writers, readers=readers))
    report_search(f"generations, {writers} writers and {readers} readers", searched)
    assert searched.way == ()


@pytest.mark.parametrize("seed", range(3))
def test_no_answer_is_stale_in_random_orders_of_more(seed, report_search) -> None:
    searched = search_some(Generations(writers=4, readers=4), seed=seed, ways=100, longest=120)
    report_search("generations, 4 writers and 4 readers, at random", searched)
    assert searched.way == ()


@pytest.mark.drill
def test_no_answer_is_stale_in_any_order_of_more(report_search) -> None:
    searched = search_all(Generations(writers=3, readers=3))
    report_search("generations, 3 writers and 3 readers", searched)
    assert searched.way == ()


@pytest.mark.parametrize("weaker", WEAKER, ids=lambda weaker: weaker.__name__)
def test_without_one_of_its_rules_a_stale_answer_is_found(weaker, report_search) -> None:
    searched = search_all(weaker(writers=2, readers=2))
    report_search(f"generations, {weaker.__name__}: stale by {' · '.join(searched.way)}", searched)
    assert searched.found_stale_answer


def test_random_orders_find_it_too() -> None:
    assert search_some(BoundByXmax(writers=2, readers=3), seed=1, ways=3000, longest=60).found_stale_answer
