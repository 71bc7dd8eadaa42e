"""Sessions as their owner sees them."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from midrise.modules.identity.devices.model import Device


class SessionShown(msgspec.Struct):
    """One place where the caller is logged in."""

    id: UUID
    device: Annotated[
        str | None,
        Meta(
            description="What the client says of itself (its `User-Agent`); null where it says nothing",
            examples=["Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"],
        ),
    ]
    address: Annotated[str, Meta(description="Where it was last used from", examples=["203.0.113.7"])]
    created_at: datetime
    last_used_at: Annotated[
        datetime, Meta(description="The log-in or the last refresh; requests in between are not counted")
    ]
    expires_at: Annotated[datetime, Meta(description="When it ends unless it is refreshed before")]
    current: Annotated[bool, Meta(description="Whether it is the one that asks")]


def session_shown(device: Device, *, current_id: UUID | None) -> SessionShown:
    return SessionShown(
        id=device.id,
        device=device.user_agent or None,
        address=device.address,
        created_at=device.created_at,
        last_used_at=device.last_used_at,
        expires_at=device.expires_at,
        current=device.id == current_id,
    )
