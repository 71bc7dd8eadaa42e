"""What an entry says of a change."""

from midrise.modules.audit.events.model import changes_between


def test_what_changed_stands_with_both_values():
    before = {"name": "Mug", "price": 1, "same": [1, 2]}
    after = {"name": "Cup", "price": None, "same": [1, 2], "new": 0}
    assert changes_between(before, after) == {
        "name": {"from": "Mug", "to": "Cup"},
        "price": {"from": 1, "to": None},
        "new": {"from": None, "to": 0},
    }
