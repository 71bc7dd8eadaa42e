"""`POST /v1/auth/password/change`."""

from litestar import Controller, post
from litestar.params import JSONBody

from midrise.foundation.http.access import IN_PERSON
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.modules.identity.credentials.model import ReauthenticationRequired
from midrise.modules.identity.log_in_attempts.model import TooManyAttempts
from midrise.modules.identity.passwords.schemas import PasswordChange
from midrise.modules.identity.passwords.service import Passwords


class PasswordsController(Controller):
    """The caller's password."""

    path = "/v1/auth/password/change"
    tags = ("Accounts and sessions",)

    @post(
        status_code=204,
        access=IN_PERSON,
        errors=(ReauthenticationRequired, TooManyAttempts),
        summary="Change the caller's password",
    )
    async def change_password(
        self, data: JSONBody[PasswordChange], password_changes: Injected[Passwords], actor: CurrentActor
    ) -> None:
        """Every other session of the caller's ends at once, on every instance. A wrong present password is 422,
        since the caller is logged in, and counts as a guess."""
        await password_changes.change(data.current_password, data.new_password, otp=data.otp, actor=actor)
