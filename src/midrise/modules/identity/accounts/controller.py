"""`/v1/users`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody, QueryParameter

from midrise.foundation.http.access import needs
from midrise.foundation.http.caching import Cached
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.foundation.http.etags import IfMatch, IfNoneMatch, expected, resource_answer
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.paging import USUAL_LIMIT
from midrise.modules.identity.accounts.model import OwnAccount
from midrise.modules.identity.accounts.schemas import AccountChangesBody, NewAccountBody
from midrise.modules.identity.accounts.service import Accounts
from midrise.modules.identity.users.model import (
    EmailTaken,
    LastAdministrator,
    User,
    UserFilter,
    user_generation,
)
from midrise.modules.identity.users.schemas import RoleAssignment, UserShown, user_shown
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


class AccountsController(Controller):
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

    @get(
        "/{user_id:uuid}",
        access=needs("users:read"),
        cached=Cached(user_generation("{user_id}")),
        summary="Show a user",
    )
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

    @post(access=needs("users:write"), errors=(EmailTaken,), summary="Create a user")
    async def create_user(
        self, data: JSONBody[NewAccountBody], accounts: Injected[Accounts], actor: CurrentActor
    ) -> Response[UserShown]:
        """Makes an account for somebody. Giving it roles needs `roles:assign`, and all that they allow."""
        user = await accounts.create(data.to_new_account(), actor=actor)
        return _answer(user, status_code=201, location=f"/v1/users/{user.id}")

    @patch(
        "/{user_id:uuid}",
        access=needs("users:write"),
        errors=(EmailTaken, LastAdministrator, OwnAccount),
        summary="Change a user",
    )
    async def change_user(
        self,
        user_id: FromPath[UUID],
        data: JSONBody[AccountChangesBody],
        accounts: Injected[Accounts],
        actor: CurrentActor,
        if_match: IfMatch = None,
    ) -> Response[UserShown]:
        """A merge patch. Disabling the account and setting a password end its sessions at once, on every
        instance. Nobody changes a user who may do more than they."""
        user = await accounts.change(user_id, data.to_changes(), actor=actor, expected=expected(if_match))
        return _answer(user)

    @delete(
        "/{user_id:uuid}",
        access=needs("users:write"),
        errors=(LastAdministrator,),
        summary="Delete a user",
    )
    async def delete_user(
        self,
        user_id: FromPath[UUID],
        accounts: Injected[Accounts],
        actor: CurrentActor,
        if_match: IfMatch = None,
    ) -> None:
        """Ends its sessions at once and erases what is stored of the person; the audit keeps the id alone.
        Nobody deletes a user who may do more than they."""
        await accounts.remove(user_id, actor=actor, expected=expected(if_match))


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
