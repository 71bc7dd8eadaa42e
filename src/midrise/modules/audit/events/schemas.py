"""An audit entry as clients see it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from midrise.modules.audit.events.model import AuditEvent


class AuditEventShown(msgspec.Struct):
    """Who did what to what, when and from where."""

    id: UUID
    created_at: datetime
    actor_id: Annotated[UUID | None, msgspec.Meta(description="The user; null for the service itself")]
    api_key_id: Annotated[
        UUID | None, msgspec.Meta(description="The API key, where a program of the user's did it")
    ]
    action: Annotated[str, msgspec.Meta(examples=["product:created"])]
    resource: Annotated[str, msgspec.Meta(examples=["product:0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21"])]
    address: Annotated[str, msgspec.Meta(description="The client's address", examples=["203.0.113.7"])]
    request_id: Annotated[str, msgspec.Meta(examples=["0198a2b47c1d7e339f102b6d5a4c3e21"])]
    changes: Annotated[
        Mapping[str, Any],
        msgspec.Meta(
            description="The fields that changed", examples=[{"name": {"from": "Mug", "to": "Large mug"}}]
        ),
    ]


def event_shown(event: AuditEvent) -> AuditEventShown:
    return AuditEventShown(
        id=event.id,
        created_at=event.created_at,
        actor_id=event.actor_id,
        api_key_id=event.api_key_id,
        action=event.action,
        resource=event.resource,
        address=event.address,
        request_id=event.request_id,
        changes=event.changes,
    )
