"""`GET /v1/me/export`."""

from typing import cast

from litestar import Controller, Response, get
from litestar.response import Stream

from midrise.foundation import clock
from midrise.foundation.http.access import IN_PERSON
from midrise.foundation.http.binding import JSON
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.modules.identity.exports.schemas import (
    ExportShown,
    act_of_others_shown,
    own_act_shown,
    stored_session_shown,
    written,
)
from midrise.modules.identity.exports.service import Exports
from midrise.modules.identity.users.schemas import user_shown


class ExportsController(Controller):
    """What is stored of the caller."""

    path = "/v1/me/export"
    tags = ("People",)

    @get(access=IN_PERSON, summary="Give the caller all that is stored of them")
    async def export_me(self, exports: Injected[Exports], actor: CurrentActor) -> Response[ExportShown]:
        """As JSON, streamed. What is secret (the password's hash, keys, digests of codes) is left out."""
        person = await exports.get(actor=actor)
        user_id = person.user.id
        pieces = written(
            {
                "exported_at": clock.now(),
                "account": user_shown(person.user),
                "records": person.records,
            },
            {
                "sessions": (stored_session_shown(row) async for row in exports.sessions(user_id)),
                "acts": (own_act_shown(event) async for event in exports.acts(user_id)),
                "acts_of_others": (
                    act_of_others_shown(event) async for event in exports.acts_of_others(user_id)
                ),
            },
        )
        headers = {"content-disposition": 'attachment; filename="personal-data.json"'}
        return cast("Response[ExportShown]", Stream(pieces, media_type=JSON, headers=headers))
