"""`/v1/auth/password/forgot` and `reset`."""

from litestar import Controller, Response, post
from litestar.params import JSONBody

from midrise.foundation.http.accepted import accepted
from midrise.foundation.http.access import ANYONE_WHATEVER_THEY_SEND
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.modules.identity.email_tokens.model import InvalidEmailToken
from midrise.modules.identity.password_resets.schemas import ForgottenPassword, PasswordReset
from midrise.modules.identity.password_resets.service import PasswordResets


class PasswordResetsController(Controller):
    """New passwords for those who forgot theirs."""

    path = "/v1/auth/password"
    tags = ("Accounts and sessions",)

    @post(
        "/forgot",
        status_code=202,
        access=ANYONE_WHATEVER_THEY_SEND,
        summary="Ask for a mail to choose a new password",
    )
    async def forgot(
        self, data: JSONBody[ForgottenPassword], password_resets: Injected[PasswordResets], actor: CurrentActor
    ) -> Response[None]:
        """Always the same answer, whether there is such an account or not; the mail is sent after it. Limited
        by address, and by account."""
        await password_resets.request(data.email, actor=actor)
        return accepted()

    @post(
        "/reset",
        status_code=204,
        access=ANYONE_WHATEVER_THEY_SEND,
        errors=(InvalidEmailToken,),
        summary="Choose a new password",
    )
    async def reset(
        self, data: JSONBody[PasswordReset], password_resets: Injected[PasswordResets], actor: CurrentActor
    ) -> None:
        """Takes the token of a mail, once and within 30 minutes. Every session of the account ends at once."""
        await password_resets.reset(data.token, data.new_password, actor=actor)
