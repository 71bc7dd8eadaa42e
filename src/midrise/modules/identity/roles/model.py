"""A role, what may be changed of it, and the roles that every installation has."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from midrise.foundation.errors import Conflict

ADMINISTRATOR = "administrator"
"""Has every permission there is, whatever is stored, and those of modules that come later."""
CUSTOMER = "customer"
"""What everybody who registers gets."""


class RoleTaken(Conflict):
    """There is a role of this name already."""

    code = "role_taken"
    title = "The name of the role is taken"
    detail = "There is a role of this name already"


class RoleInUse(Conflict):
    """Users have this role: take it from them first."""

    code = "role_in_use"
    title = "The role is in use"
    detail = "Users have this role"


class RoleBuiltIn(Conflict):
    """The role belongs to the service: it can't be deleted, and `administrator` always has every permission."""

    code = "role_built_in"
    title = "The role is built in"
    detail = "A built-in role can't be deleted, and the administrator's permissions can't be changed"


ROLES_GENERATION = "roles"
"""The generation of what roles allow."""


class RoleAction(StrEnum):
    """What the audit says of roles."""

    CREATED = "role:created"
    CHANGED = "role:changed"
    DELETED = "role:deleted"


@dataclass(frozen=True, slots=True)
class Role:
    """A set of permissions with a name."""

    name: str
    description: str
    built_in: bool
    version: int
    created_at: datetime
    updated_at: datetime
    permissions: tuple[str, ...]

    @property
    def resource(self) -> str:
        """Its name in the audit."""
        return f"role:{self.name}"


@dataclass(frozen=True, slots=True)
class NewRole:
    """A role to be made."""

    name: str
    description: str
    permissions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RoleChanges:
    """What is to be changed; None leaves a field as it is."""

    description: str | None = None
    permissions: tuple[str, ...] | None = None


def effective_permissions(
    roles: Iterable[str], granted: Iterable[str], declared: frozenset[str]
) -> frozenset[str]:
    """What the roles allow together: all that modules declare for an administrator.

    What was granted once and is declared no longer (a module was removed) allows nothing.
    """
    return declared if ADMINISTRATOR in roles else declared.intersection(granted)
