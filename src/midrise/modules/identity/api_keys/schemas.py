"""API keys over HTTP."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from midrise.modules.identity.api_keys.model import ApiKey, IssuedApiKey, NewApiKey

Permissions = Annotated[list[str], Meta(examples=[["products:write"]])]


class NewApiKeyBody(msgspec.Struct, forbid_unknown_fields=True):
    """A key to be made."""

    name: Annotated[
        str, Meta(min_length=1, max_length=100, description="What it is for", examples=["Nightly import"])
    ]
    permissions: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=100)]],
        Meta(
            max_length=1000,
            description="What it allows; at each call only what its owner may do at that time",
            examples=[["products:write"]],
        ),
    ]
    expires_at: (
        Annotated[
            datetime,
            Meta(
                tz=True,
                description="When it ends; null or left out: not by itself",
                examples=["2099-11-23T04:05:06.789Z"],
            ),
        ]
        | None
    ) = None

    def to_new_api_key(self) -> NewApiKey:
        return NewApiKey(self.name, tuple(self.permissions), self.expires_at)


class ApiKeyShown(msgspec.Struct):
    """An API key, but for its text."""

    id: UUID
    name: Annotated[str, Meta(examples=["Nightly import"])]
    permissions: Permissions
    created_at: datetime
    last_used_at: Annotated[
        datetime | None, Meta(description="Up to an hour behind; null where it never was used")
    ]
    expires_at: datetime | None


class IssuedApiKeyShown(msgspec.Struct):
    """An API key that was made, with its text, which is shown this once."""

    id: UUID
    name: Annotated[str, Meta(examples=["Nightly import"])]
    permissions: Permissions
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    key: Annotated[
        str,
        Meta(description="For `Authorization: Bearer mr_…`", examples=["mr_" + "2b6d5a4c3e21Q7xZ" * 7]),
    ]


def api_key_shown(key: ApiKey) -> ApiKeyShown:
    return msgspec.convert(key, ApiKeyShown, from_attributes=True)


def issued_api_key_shown(issued: IssuedApiKey) -> IssuedApiKeyShown:
    shown = msgspec.structs.asdict(api_key_shown(issued.key))
    return IssuedApiKeyShown(**shown, key=issued.text)
