"""Forgotten passwords over HTTP."""

from typing import Annotated

import msgspec
from msgspec import Meta

from midrise.modules.identity.emails.schemas import MailedToken


class ForgottenPassword(msgspec.Struct, forbid_unknown_fields=True):
    """Whose password is forgotten. Anything within the bounds is taken: the answer says nothing of accounts."""

    email: Annotated[str, Meta(max_length=1000, examples=["rahima@example.com"])]


class PasswordReset(msgspec.Struct, forbid_unknown_fields=True):
    """The proof that somebody reads the account's mail, and the password that it shall have."""

    token: MailedToken
    new_password: Annotated[
        str,
        Meta(
            max_length=1024,
            description="12 to 128 characters of any kind, none too common; counted after Unicode NFC",
            examples=["four red kites at noon"],
        ),
    ]
