"""Second factors over HTTP."""

from typing import Annotated

import msgspec
from msgspec import Meta

from midrise.modules.identity.second_factors.model import NewSecondFactor

Otp = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        description="The six digits that the app shows, or a recovery code",
        examples=["287082"],
    ),
]


class Confirmation(msgspec.Struct, forbid_unknown_fields=True):
    """The proof that the app is set up."""

    otp: Annotated[
        str,
        Meta(min_length=1, max_length=64, description="The six digits that the app shows", examples=["287082"]),
    ]


class SwitchingOff(msgspec.Struct, forbid_unknown_fields=True):
    """The proof that the owner asks, however new the session is."""

    password: Annotated[str, Meta(max_length=1024, examples=["three green boats at dawn"])]
    otp: Otp


class NewSecondFactorShown(msgspec.Struct):
    """What an authenticator app is set up with."""

    secret: Annotated[
        str,
        Meta(description="In base 32, to be typed", examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"]),
    ]
    otpauth_uri: Annotated[
        str,
        Meta(
            description="The same and the account's name, to be shown as a QR code",
            examples=["otpauth://totp/midrise:rahima%40example.com?digits=6&secret=JBSWY3DP&issuer=midrise"],
        ),
    ]


class RecoveryCodesShown(msgspec.Struct):
    """Codes for when the app is lost. Each works once, in place of a code of the app."""

    recovery_codes: Annotated[
        list[str],
        Meta(
            description="Shown this once; to be kept where the app is not",
            examples=[["7K3QM-0ZT9V-XW4HN-R2B8D"]],
        ),
    ]


def new_second_factor_shown(new: NewSecondFactor) -> NewSecondFactorShown:
    return NewSecondFactorShown(secret=new.secret, otpauth_uri=new.otpauth_uri)
