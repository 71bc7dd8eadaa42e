"""`/v1/auth/email`."""

from litestar import Controller, Response, post
from litestar.params import JSONBody

from midrise.foundation.http.accepted import accepted
from midrise.foundation.http.access import ANYONE_WHATEVER_THEY_SEND, IN_PERSON
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.modules.identity.email_tokens.model import InvalidEmailToken, TooManyMails
from midrise.modules.identity.emails.schemas import Verification
from midrise.modules.identity.emails.service import Emails
from midrise.modules.identity.users.model import EmailTaken


class EmailsController(Controller):
    """The address of an account."""

    path = "/v1/auth/email/verify"
    tags = ("Accounts and sessions",)

    @post(
        status_code=204,
        access=ANYONE_WHATEVER_THEY_SEND,
        errors=(InvalidEmailToken, EmailTaken),
        summary="Verify an e-mail address",
    )
    async def verify(self, data: JSONBody[Verification], emails: Injected[Emails], actor: CurrentActor) -> None:
        """Takes the token of a mail, once: of a registration, or of a change, which counts from then on."""
        await emails.verify(data.token, actor=actor)

    @post(
        "/resend",
        status_code=202,
        access=IN_PERSON,
        errors=(TooManyMails,),
        summary="Mail another token to verify the address",
    )
    async def resend(self, emails: Injected[Emails], actor: CurrentActor) -> Response[None]:
        """The mail is sent after the answer. Tokens of earlier mails are void. Nothing is mailed where the
        address is verified."""
        await emails.resend(actor=actor)
        return accepted()
