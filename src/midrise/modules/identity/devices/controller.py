"""`/v1/auth/sessions` and `/v1/auth/logout-all`."""

from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath

from midrise.foundation.http.access import IN_PERSON
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.paging import USUAL_LIMIT
from midrise.modules.identity.devices.schemas import SessionShown, session_shown
from midrise.modules.identity.devices.service import Devices


class DevicesController(Controller):
    """Where the caller is logged in."""

    path = "/v1/auth"
    tags = ("Accounts and sessions",)

    @get("/sessions", access=IN_PERSON, summary="List the caller's sessions")
    async def list_sessions(
        self,
        devices: Injected[Devices],
        actor: CurrentActor,
        listing: CurrentListing,
        limit: Limit = USUAL_LIMIT,
        cursor: Cursor = None,
    ) -> Response[ListOf[SessionShown]]:
        """Those that stand, the latest log-in first, each with its device, its address and its last use."""
        page = await devices.list_devices(listing.page(limit, cursor, keys=tuple[UUID]), actor=actor)
        return listing.answer(page.map(lambda device: session_shown(device, current_id=actor.session_id)))

    @delete("/sessions/{session_id:uuid}", access=IN_PERSON, summary="End one of the caller's sessions")
    async def end_session(
        self, session_id: FromPath[UUID], devices: Injected[Devices], actor: CurrentActor
    ) -> None:
        """Its access and refresh tokens stop working at once, on every instance."""
        await devices.end(session_id, actor=actor)

    @post("/logout-all", status_code=204, access=IN_PERSON, summary="Log out everywhere")
    async def log_out_everywhere(self, devices: Injected[Devices], actor: CurrentActor) -> None:
        """Every session of the caller's ends, this one as well, at once and on every instance."""
        await devices.end_all(actor=actor)
