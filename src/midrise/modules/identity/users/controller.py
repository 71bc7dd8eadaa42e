"""`/v1/auth/register` and `/v1/me`."""

from litestar import Controller, Response, delete, get, patch, post
from litestar.params import JSONBody

from midrise.foundation.admission import CALLER
from midrise.foundation.http.access import ANYONE_WHATEVER_THEY_SEND, IN_PERSON, KNOWN_CALLER
from midrise.foundation.http.caching import Cached
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.foundation.http.etags import IfMatch, IfNoneMatch, expected, resource_answer
from midrise.modules.identity.accounts.service import Accounts
from midrise.modules.identity.credentials.model import ReauthenticationRequired
from midrise.modules.identity.email_tokens.model import TooManyMails
from midrise.modules.identity.log_in_attempts.model import TooManyAttempts
from midrise.modules.identity.users.model import (
    EmailTaken,
    LastAdministrator,
    RegistrationClosed,
    User,
    user_generation,
)
from midrise.modules.identity.users.schemas import (
    PermissionsShown,
    ProfileChanges,
    Registration,
    UserShown,
    user_shown,
)
from midrise.modules.identity.users.service import Users


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

    @get(access=KNOWN_CALLER, cached=Cached(user_generation(CALLER)), summary="Show the caller's account")
    async def show_me(
        self, users: Injected[Users], actor: CurrentActor, if_none_match: IfNoneMatch = None
    ) -> Response[UserShown]:
        """The account behind the token."""
        return _answer(await users.get_own(actor=actor), if_none_match=if_none_match)

    @patch(
        access=IN_PERSON,
        errors=(EmailTaken, ReauthenticationRequired, TooManyAttempts, TooManyMails),
        summary="Change the caller's account",
    )
    async def change_me(
        self,
        data: JSONBody[ProfileChanges],
        users: Injected[Users],
        actor: CurrentActor,
        if_match: IfMatch = None,
    ) -> Response[UserShown]:
        """A merge patch of name and locale.

        Another `email` needs the `password`, and `otp` where there is a second factor and the log-in was a
        while ago. It counts once a token is sent back that is mailed there; the present address is told.
        """
        user = await users.change_profile(
            data.to_changes(), address=data.to_new_address(), actor=actor, expected=expected(if_match)
        )
        return _answer(user)

    @delete(access=IN_PERSON, errors=(LastAdministrator,), summary="Delete the caller's account")
    async def delete_me(
        self, accounts: Injected[Accounts], actor: CurrentActor, if_match: IfMatch = None
    ) -> None:
        """For good: every session ends at once, and what is stored of the caller is erased."""
        await accounts.remove_own(actor=actor, expected=expected(if_match))

    @get("/permissions", access=KNOWN_CALLER, summary="Show what the caller may do")
    async def show_my_permissions(self, actor: CurrentActor) -> PermissionsShown:
        """The effective set: what the caller's roles allow together, and of that what the API key allows, if it
        is one."""
        return PermissionsShown(sorted(actor.permissions))


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
