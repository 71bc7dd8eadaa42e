"""The change of a password over HTTP."""

from typing import Annotated

import msgspec
from msgspec import Meta

from midrise.modules.identity.second_factors.schemas import Otp
from midrise.modules.identity.users.schemas import Password


class PasswordChange(msgspec.Struct, forbid_unknown_fields=True):
    """Another password in place of the present one."""

    current_password: Annotated[str, Meta(max_length=1024, examples=["three green boats at dawn"])]
    new_password: Password
    otp: Otp | None = None
