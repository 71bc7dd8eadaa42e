"""Roles over HTTP."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from midrise.modules.identity.roles.model import NewRole, Role, RoleChanges

RoleName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[a-z][a-z0-9_-]{0,63}$",
        description="Lower-case letters, digits, hyphens and underscores",
        examples=["shipping"],
        extra={"expected": "lower-case letters, digits, hyphens and underscores, a letter first"},
    ),
]
Description = Annotated[
    str, Meta(max_length=500, description="What the role is for", examples=["Sends orders out"])
]
Permissions = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=100)]],
    Meta(max_length=1000, description="Permissions that modules declare", examples=[["products:read"]]),
]


class NewRoleBody(msgspec.Struct, forbid_unknown_fields=True):
    """A role to be made."""

    name: RoleName
    permissions: Permissions
    description: Description = ""

    def to_new_role(self) -> NewRole:
        return NewRole(self.name, self.description, tuple(self.permissions))


class RoleChangesBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is changed of a role; what is left out stays."""

    description: Description | UnsetType = UNSET
    permissions: Permissions | UnsetType = UNSET

    def to_changes(self) -> RoleChanges:
        return RoleChanges(
            description=None if self.description is UNSET else self.description,
            permissions=None if self.permissions is UNSET else tuple(self.permissions),
        )


class RoleShown(msgspec.Struct):
    """A role."""

    name: Annotated[str, Meta(examples=["manager"])]
    description: Annotated[str, Meta(examples=["Looks after products, categories and stock"])]
    permissions: Annotated[list[str], Meta(examples=[["products:read", "products:write"]])]
    built_in: bool
    created_at: datetime
    updated_at: datetime


class PermissionShown(msgspec.Struct):
    """Something that a role can allow."""

    name: Annotated[str, Meta(examples=["products:write"])]
    description: Annotated[str, Meta(examples=["Create, change and delete products"])]


def role_shown(role: Role) -> RoleShown:
    return RoleShown(
        name=role.name,
        description=role.description,
        permissions=list(role.permissions),
        built_in=role.built_in,
        created_at=role.created_at,
        updated_at=role.updated_at,
    )
