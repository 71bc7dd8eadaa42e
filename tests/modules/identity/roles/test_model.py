"""What roles allow."""

from midrise.modules.identity.roles.model import effective_permissions

DECLARED = frozenset({"a:read", "a:write"})


def test_roles_allow_what_is_granted_and_declared():
    assert effective_permissions(["one"], ["a:read", "gone:read"], DECLARED) == {"a:read"}


def test_no_role_allows_nothing():
    assert effective_permissions([], [], DECLARED) == frozenset()


def test_an_administrator_may_do_everything_whatever_is_stored():
    assert effective_permissions(["customer", "administrator"], [], DECLARED) == DECLARED
