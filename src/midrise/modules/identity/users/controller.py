"""`/v1/auth/register`, `/v1/me` and `/v1/users`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, patch, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from midrise.foundation.http.access import ANYONE_WHATEVER_THEY_SEND, KNOWN_CALLER, needs
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.foundation.http.etags import IfMatch, IfNoneMatch, expected, resource_answer
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.paging import USUAL_LIMIT
from midrise.modules.identity.users.model import (
    EmailTaken,
    LastAdministrator,
    RegistrationClosed,
    User,
    UserFilter,
)
from midrise.modules.identity.users.schemas import (
    PermissionsShown,
    ProfileChanges,
    Registration,
    RoleAssignment,
    UserShown,
    user_shown,
)
from midrise.modules.identity.users.service import Users

EmailFilter = Annotated[
    str | None, QueryParameter(name="email", max_length=254, description="Has this address")
]
RoleFilter = Annotated[str | None, QueryParameter(name="role", max_length=64, description="Has this role")]
ActiveFilter = Annotated[bool | None, QueryParameter(name="is_active", description="May log in, or not")]
TextFilter = Annotated[
    str | None,
    QueryParameter(name="q", min_length=1, max_length=100, description="Part of the name or the address"),
]


class RegistrationController(Controller):
    """Accounts for whoever asks."""

    path = "/v1/auth/register"
    tags = ("Accounts and sessions",)

    @post(
        access=ANYONE_WHATEVER_THEY_SEND,
        errors=(EmailTaken, RegistrationClosed),
        summary="Register an account",
    )
    async def register(
        self, data: JSONBody[Registration], users: Injected[Users], actor: CurrentActor
    ) -> Response[UserShown]:
        """Makes an account with the role `customer`. Limited by address."""
        user = await users.register(data.to_new_user(), actor=actor)
        return _answer(user, status_code=201, location="/v1/me")


class MeController(Controller):
    """The caller itself."""

    path = "/v1/me"
    tags = ("People",)

    @get(access=KNOWN_CALLER, summary="Show the caller's account")
    async def show_me(
        self, users: Injected[Users], actor: CurrentActor, if_none_match: IfNoneMatch = None
    ) -> Response[UserShown]:
        """The account behind the token."""
        return _answer(await users.get(actor.known_user_id()), if_none_match=if_none_match)

    @patch(access=KNOWN_CALLER, summary="Change the caller's account")
    async def change_me(
        self,
        data: JSONBody[ProfileChanges],
        users: Injected[Users],
        actor: CurrentActor,
        if_match: IfMatch = None,
    ) -> Response[UserShown]:
        """A merge patch of name and locale."""
        user = await users.change_profile(
            actor.known_user_id(), data.to_changes(), actor=actor, expected=expected(if_match)
        )
        return _answer(user)

    @get("/permissions", access=KNOWN_CALLER, summary="Show what the caller may do")
    async def show_my_permissions(self, actor: CurrentActor) -> PermissionsShown:
        """The effective set: what the caller's roles allow together."""
        return PermissionsShown(sorted(actor.permissions))


class UsersController(Controller):
    """Accounts, for those who look after them."""

    path = "/v1/users"
    tags = ("People",)

    @get(access=needs("users:read"), summary="List users, newest first")
    async def list_users(
        self,
        users: Injected[Users],
        listing: CurrentListing,
        limit: Limit = USUAL_LIMIT,
        cursor: Cursor = None,
        email: EmailFilter = None,
        role: RoleFilter = None,
        is_active: ActiveFilter = None,
        text: TextFilter = None,
    ) -> Response[ListOf[UserShown]]:
        """Accounts, narrowed by address, role, state, or a part of name or address."""
        keys = listing.page(limit, cursor, keys=tuple[datetime, UUID])
        page = await users.list_users(UserFilter(email, role, is_active, text), keys)
        return listing.answer(page.map(user_shown))

    @get("/{user_id:uuid}", access=needs("users:read"), summary="Show a user")
    async def show_user(
        self, user_id: FromPath[UUID], users: Injected[Users], if_none_match: IfNoneMatch = None
    ) -> Response[UserShown]:
        """One account."""
        return _answer(await users.get(user_id), if_none_match=if_none_match)

    @put(
        "/{user_id:uuid}/roles",
        access=needs("roles:assign"),
        errors=(LastAdministrator,),
        summary="Give a user its roles",
    )
    async def assign_roles(
        self,
        user_id: FromPath[UUID],
        data: JSONBody[RoleAssignment],
        users: Injected[Users],
        actor: CurrentActor,
        if_match: IfMatch = None,
    ) -> Response[UserShown]:
        """In force on the very next request, on every instance. Nobody grants a permission that they lack."""
        user = await users.assign_roles(user_id, data.roles, actor=actor, expected=expected(if_match))
        return _answer(user)


def _answer(
    user: User, *, if_none_match: str | None = None, status_code: int = 200, location: str | None = None
) -> Response[UserShown]:
    return resource_answer(
        user_shown(user),
        tag=str(user.version),
        if_none_match=if_none_match,
        status_code=status_code,
        location=location,
    )
