"""Addresses over HTTP."""

from typing import Annotated

import msgspec
from msgspec import Meta

MailedToken = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        description="As it stands in the mail",
        examples=["Zk3v9C0yJ6e2m1QdXw7Rb5TgUo8sLhNaPfYiEjKxVcM"],
    ),
]


class Verification(msgspec.Struct, forbid_unknown_fields=True):
    """The proof that somebody reads the mail of an address."""

    token: MailedToken
