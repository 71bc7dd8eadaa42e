"""`/v1/auth/login`, `refresh` and `logout`."""

from litestar import Controller, post
from litestar.params import JSONBody

from midrise.foundation.errors import Unauthenticated
from midrise.foundation.http.access import ANYONE_WHATEVER_THEY_SEND, IN_PERSON
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.modules.identity.credentials.model import InvalidOtp, OtpRequired
from midrise.modules.identity.log_in_attempts.model import TooManyAttempts
from midrise.modules.identity.sessions.model import InvalidCredentials, TokenReused
from midrise.modules.identity.sessions.schemas import LogIn, Refresh, TokensShown, tokens_shown
from midrise.modules.identity.sessions.service import Sessions


class SessionsController(Controller):
    """Log-in and log-out."""

    path = "/v1/auth"
    tags = ("Accounts and sessions",)

    @post(
        "/login",
        status_code=200,
        access=ANYONE_WHATEVER_THEY_SEND,
        errors=(InvalidCredentials, OtpRequired, InvalidOtp, TooManyAttempts),
        summary="Log in",
    )
    async def log_in(
        self, data: JSONBody[LogIn], sessions: Injected[Sessions], actor: CurrentActor
    ) -> TokensShown:
        """Starts a session. A wrong password, an unknown address and a disabled account look the same.

        An account with a second factor needs `otp` or `recovery_code` as well. Wrong guesses are slowed down,
        by account and by address, and never for good.
        """
        return tokens_shown(await sessions.log_in(data.email, data.password, code=data.code, actor=actor))

    @post(
        "/refresh",
        status_code=200,
        access=ANYONE_WHATEVER_THEY_SEND,
        errors=(Unauthenticated, TokenReused),
        summary="Exchange a refresh token for new tokens",
    )
    async def refresh(
        self, data: JSONBody[Refresh], sessions: Injected[Sessions], actor: CurrentActor
    ) -> TokensShown:
        """The old token is spent; for 30 seconds it gives the same new one again."""
        return tokens_shown(await sessions.refresh(data.refresh_token, actor=actor))

    @post("/logout", status_code=204, access=IN_PERSON, summary="Log out")
    async def log_out(self, sessions: Injected[Sessions], actor: CurrentActor) -> None:
        """This session's access and refresh tokens stop working at once, on every instance."""
        await sessions.log_out(actor=actor)
