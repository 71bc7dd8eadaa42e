"""`/v1/roles` and `/v1/permissions`."""

from typing import Annotated

from litestar import Controller, Response, delete, get, patch, post
from litestar.openapi.spec import Example
from litestar.params import JSONBody, PathParameter

from midrise.foundation.http.access import needs
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.foundation.http.etags import IfMatch, IfNoneMatch, expected, resource_answer
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.paging import USUAL_LIMIT, page_of_sorted
from midrise.modules.identity.roles.model import Role, RoleBuiltIn, RoleInUse, RoleTaken
from midrise.modules.identity.roles.schemas import (
    NewRoleBody,
    PermissionShown,
    RoleChangesBody,
    RoleShown,
    role_shown,
)
from midrise.modules.identity.roles.service import Roles

NameInPath = Annotated[
    str, PathParameter(max_length=64, description="The role's name", examples=[Example(value="manager")])
]


class RolesController(Controller):
    """Roles, for those who look after them."""

    path = "/v1/roles"
    tags = ("People",)

    @get(access=needs("roles:read"), summary="List roles by name")
    async def list_roles(
        self,
        roles: Injected[Roles],
        listing: CurrentListing,
        limit: Limit = USUAL_LIMIT,
        cursor: Cursor = None,
    ) -> Response[ListOf[RoleShown]]:
        """Built-in roles and those that were made here."""
        page = await roles.list_roles(listing.page(limit, cursor, keys=tuple[str]))
        return listing.answer(page.map(role_shown))

    @post(access=needs("roles:write"), errors=(RoleTaken,), summary="Create a role")
    async def create_role(
        self, data: JSONBody[NewRoleBody], roles: Injected[Roles], actor: CurrentActor
    ) -> Response[RoleShown]:
        """Nobody can put a permission into a role that they lack themselves."""
        role = await roles.create(data.to_new_role(), actor=actor)
        return _answer(role, status_code=201, location=f"/v1/roles/{role.name}")

    @get("/{name:str}", access=needs("roles:read"), summary="Show a role")
    async def show_role(
        self, name: NameInPath, roles: Injected[Roles], if_none_match: IfNoneMatch = None
    ) -> Response[RoleShown]:
        """One role with its permissions."""
        return _answer(await roles.get(name), if_none_match=if_none_match)

    @patch("/{name:str}", access=needs("roles:write"), errors=(RoleBuiltIn,), summary="Change a role")
    async def change_role(
        self,
        name: NameInPath,
        data: JSONBody[RoleChangesBody],
        roles: Injected[Roles],
        actor: CurrentActor,
        if_match: IfMatch = None,
    ) -> Response[RoleShown]:
        """A merge patch; in force for everyone who has the role from the next request on."""
        role = await roles.change(name, data.to_changes(), actor=actor, expected=expected(if_match))
        return _answer(role)

    @delete(
        "/{name:str}", access=needs("roles:write"), errors=(RoleBuiltIn, RoleInUse), summary="Delete a role"
    )
    async def delete_role(
        self,
        name: NameInPath,
        roles: Injected[Roles],
        actor: CurrentActor,
        if_match: IfMatch = None,
    ) -> None:
        """A role that users have, or that is built in, stays."""
        await roles.remove(name, actor=actor, expected=expected(if_match))


class PermissionsController(Controller):
    """What roles can allow."""

    path = "/v1/permissions"
    tags = ("People",)

    @get(access=needs("roles:read"), summary="List every permission that a module declares")
    async def list_permissions(
        self,
        roles: Injected[Roles],
        listing: CurrentListing,
        limit: Limit = USUAL_LIMIT,
        cursor: Cursor = None,
    ) -> Response[ListOf[PermissionShown]]:
        """By name."""
        wanted = listing.page(limit, cursor, keys=tuple[str])
        page = page_of_sorted(roles.permissions, wanted, key=lambda permission: permission.name)
        return listing.answer(page.map(lambda each: PermissionShown(each.name, each.description)))


def _answer(
    role: Role, *, if_none_match: str | None = None, status_code: int = 200, location: str | None = None
) -> Response[RoleShown]:
    return resource_answer(
        role_shown(role),
        tag=str(role.version),
        if_none_match=if_none_match,
        status_code=status_code,
        location=location,
    )
