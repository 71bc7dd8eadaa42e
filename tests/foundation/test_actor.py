"""The one behind a call may do what its permissions say."""

from uuid import UUID

import pytest

from midrise.foundation.actor import SYSTEM, Actor
from midrise.foundation.errors import Forbidden, Unauthenticated

VISITOR = Actor()
READER = Actor(user_id=UUID(int=7), permissions=frozenset({"products:read"}))


def test_a_permission_is_needed_by_its_whole_name():
    assert READER.may("products:read")
    assert not READER.may("products:write")
    assert not READER.may("products")
    assert not READER.may("")


def test_who_holds_a_permission_passes():
    READER.require("products:read")


def test_who_lacks_it_is_told_which():
    with pytest.raises(Forbidden) as refused:
        READER.require("products:write")
    assert refused.value.arguments == {"permission": "products:write"}


def test_a_visitor_is_asked_to_log_in_first():
    with pytest.raises(Unauthenticated):
        VISITOR.require("products:read")
    with pytest.raises(Unauthenticated):
        VISITOR.known_user_id()


def test_a_known_caller_has_an_id():
    assert READER.known_user_id() == UUID(int=7)


def test_the_program_itself_is_nobody():
    assert SYSTEM.user_id is None
    assert SYSTEM.permissions == frozenset()
