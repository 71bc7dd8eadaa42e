"""What this process knows of the servers by what it has written, without a server."""

import pytest

from midrise.foundation.database import PoolSettings
from midrise.foundation.database.nodes import Node, Nodes
from midrise.foundation.database.positions import Position

EARLY, LATE = Position(1, 1, 100), Position(1, 1, 200)
PROMOTED = Position(1, 2, 150)


@pytest.fixture
def nodes() -> Nodes:
    nodes = Nodes([Node(PoolSettings("postgresql:///nowhere", name)) for name in ("one", "two")])
    nodes.primary.position, nodes.primary.answers = EARLY, True
    return nodes


def test_a_write_that_tells_its_place_late_takes_nothing_back(nodes):
    nodes.note_write(LATE)
    nodes.note_write(EARLY)
    assert nodes.known() == LATE


def test_after_a_promotion_what_was_written_before_does_not_count(nodes):
    nodes.note_write(LATE)
    nodes.primary.position = Position(1, 2, 120)
    assert nodes.known() == Position(1, 2, 120)
    nodes.note_write(PROMOTED)
    assert nodes.known() == PROMOTED
