"""A person's data as that person gets them: one JSON document, written piece by piece."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from midrise.modules.audit import AuditEvent
from midrise.modules.identity.exports.model import Record
from midrise.modules.identity.users.schemas import UserShown


class StoredSessionShown(msgspec.Struct):
    """A session, whether it stands or not."""

    id: UUID
    user_agent: Annotated[
        str, Meta(examples=["Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"])
    ]
    address: Annotated[str, Meta(examples=["203.0.113.7"])]
    created_at: datetime
    rotated_at: Annotated[datetime, Meta(description="The log-in or the last refresh")]
    expires_at: datetime
    revoked_at: datetime | None


class OwnActShown(msgspec.Struct):
    """Something that the person did, or a program of theirs."""

    id: UUID
    created_at: datetime
    api_key_id: Annotated[UUID | None, Meta(description="The key, where a program did it")]
    action: Annotated[str, Meta(examples=["user:changed"])]
    resource: Annotated[str, Meta(examples=["user:0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21"])]
    address: Annotated[str, Meta(examples=["203.0.113.7"])]
    request_id: Annotated[str, Meta(examples=["0198a2b47c1d7e339f102b6d5a4c3e21"])]
    changes: Annotated[Mapping[str, Any], Meta(examples=[{"name": {"from": "Rahima", "to": "Rahima Khatun"}}])]


class ActOfOthersShown(msgspec.Struct):
    """Something that was done to the account by somebody else, who is not named."""

    id: UUID
    created_at: datetime
    action: Annotated[str, Meta(examples=["user:roles:assigned"])]
    changes: Annotated[Mapping[str, Any], Meta(examples=[{"name": {"from": "Rahima", "to": "Rahima Khatun"}}])]


class ExportShown(msgspec.Struct):
    """All that is stored of a person but what is secret: the password's hash, keys, digests of codes."""

    exported_at: datetime
    account: UserShown
    records: Annotated[
        dict[str, list[dict[str, Any]]],
        Meta(
            description="What other tables hold, by their names",
            examples=[{"second_factors": [{"created_at": "2026-11-23T04:05:06.789Z", "confirmed_at": None}]}],
        ),
    ]
    sessions: list[StoredSessionShown]
    acts: Annotated[list[OwnActShown], Meta(description="The entries of the audit on what the person did")]
    acts_of_others: Annotated[list[ActOfOthersShown], Meta(description="And on what others did to the account")]


def stored_session_shown(row: Record) -> StoredSessionShown:
    return msgspec.convert(row, StoredSessionShown)


def own_act_shown(event: AuditEvent) -> OwnActShown:
    return msgspec.convert(event, OwnActShown, from_attributes=True)


def act_of_others_shown(event: AuditEvent) -> ActOfOthersShown:
    return msgspec.convert(event, ActOfOthersShown, from_attributes=True)


async def written(
    whole: Mapping[str, object], lists: Mapping[str, AsyncIterator[msgspec.Struct]]
) -> AsyncIterator[bytes]:
    """One object as JSON: first the members that are whole, then the lists, item by item."""
    yield msgspec.json.encode(whole)[:-1]
    for name, items in lists.items():
        yield b"," + msgspec.json.encode(name) + b":["
        separator = b""
        async for item in items:
            yield separator + msgspec.json.encode(item)
            separator = b","
        yield b"]"
    yield b"}"
