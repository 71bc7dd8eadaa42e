"""`/v1/audit`."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get
from litestar.params import QueryParameter

from midrise.foundation.http.access import needs
from midrise.foundation.http.current import Injected
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.paging import USUAL_LIMIT
from midrise.modules.audit.events.model import AuditEventFilter
from midrise.modules.audit.events.schemas import AuditEventShown, event_shown
from midrise.modules.audit.events.service import AuditTrail

ActorId = Annotated[UUID | None, QueryParameter(name="actor_id", description="What this user did")]
Action = Annotated[
    str | None,
    QueryParameter(name="action", max_length=100, description="Entries of this action, `product:created`"),
]
Resource = Annotated[
    str | None,
    QueryParameter(name="resource", max_length=200, description="What was done to this, `product:…`"),
]
Since = Annotated[datetime | None, QueryParameter(name="since", description="From this time on")]
Until = Annotated[datetime | None, QueryParameter(name="until", description="Before this time")]


class AuditController(Controller):
    """The audit."""

    path = "/v1/audit"
    tags = ("Audit",)

    @get(access=needs("audit:read"), summary="List audit entries, newest first")
    async def list_audit_events(
        self,
        audit: Injected[AuditTrail],
        listing: CurrentListing,
        limit: Limit = USUAL_LIMIT,
        cursor: Cursor = None,
        actor_id: ActorId = None,
        action: Action = None,
        resource: Resource = None,
        since: Since = None,
        until: Until = None,
    ) -> Response[ListOf[AuditEventShown]]:
        """Who did what to what, when and from where; written in the transaction of each change."""
        wanted = AuditEventFilter(actor_id, action, resource, since, until)
        page = await audit.list_events(wanted, listing.page(limit, cursor, keys=tuple[datetime, UUID]))
        return listing.answer(page.map(event_shown))
