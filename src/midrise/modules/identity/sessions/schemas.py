"""Log-in and tokens over HTTP."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from midrise.modules.identity.sessions.model import Tokens


class LogIn(msgspec.Struct, forbid_unknown_fields=True):
    """Who wants to log in. Anything within the bounds is tried: a log-in doesn't say what an address may be."""

    email: Annotated[str, Meta(max_length=1000, examples=["rahima@example.com"])]
    password: Annotated[str, Meta(max_length=1024, examples=["three green boats at dawn"])]
    otp: (
        Annotated[
            str, Meta(max_length=64, description="The six digits that the app shows", examples=["287082"])
        ]
        | UnsetType
    ) = UNSET
    recovery_code: (
        Annotated[
            str,
            Meta(
                max_length=64,
                description="Instead of `otp`, where the app is lost; each works once",
                examples=["7K3QM-0ZT9V-XW4HN-R2B8D"],
            ),
        ]
        | UnsetType
    ) = UNSET

    @property
    def code(self) -> str | None:
        """What a second factor is proved by; where both are given, the first one counts."""
        return (self.otp or None) if self.otp is not UNSET else (self.recovery_code or None)


class Refresh(msgspec.Struct, forbid_unknown_fields=True):
    """The refresh token to be exchanged."""

    refresh_token: Annotated[
        str,
        Meta(max_length=1000, examples=["AQGYorTALH1zPp8QK21aTD4hAAAAAAAAAAE"], description="As it was given"),
    ]


class TokensShown(msgspec.Struct):
    """What a client calls with. Lifetimes are in seconds."""

    access_token: Annotated[
        str,
        Meta(description="A JWT, for `Authorization: Bearer …`", examples=["eyJhbGciOiJFZERTQSJ9.e30.c2ln"]),
    ]
    expires_in: Annotated[int, Meta(examples=[600])]
    refresh_token: Annotated[
        str, Meta(description="Gives new tokens, once", examples=["AQGYorTALH1zPp8QK21aTD4hAAAAAAAAAAE"])
    ]
    refresh_expires_in: Annotated[int, Meta(examples=[2592000])]
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the name of a scheme, no secret


def tokens_shown(tokens: Tokens) -> TokensShown:
    return TokensShown(
        access_token=tokens.access_token,
        expires_in=tokens.expires_in,
        refresh_token=tokens.refresh_token,
        refresh_expires_in=tokens.refresh_expires_in,
    )
