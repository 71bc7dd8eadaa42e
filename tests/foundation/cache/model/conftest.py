"""What the searches of the models tell of themselves; `pytest -rP` shows it."""

from collections.abc import Callable

import pytest
from tests.foundation.cache.model.search import Search


@pytest.fixture
def report_search(record_property: Callable[[str, object], None]) -> Callable[[str, Search], None]:
    def report(what: str, searched: Search) -> None:
        record_property("states", searched.states)
        print(f"{what}: {searched.states} states, {searched.steps} steps")  # noqa: T201  told

    return report
