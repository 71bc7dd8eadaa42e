"""`/v1/auth/api-keys`."""

from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.params import FromPath, JSONBody

from midrise.foundation.errors import Forbidden
from midrise.foundation.http.access import IN_PERSON
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.paging import USUAL_LIMIT
from midrise.modules.identity.api_keys.model import TooManyApiKeys
from midrise.modules.identity.api_keys.schemas import (
    ApiKeyShown,
    IssuedApiKeyShown,
    NewApiKeyBody,
    api_key_shown,
    issued_api_key_shown,
)
from midrise.modules.identity.api_keys.service import ApiKeys
from midrise.modules.identity.credentials.model import ReauthenticationRequired


class ApiKeysController(Controller):
    """The keys of the caller's programs."""

    path = "/v1/auth/api-keys"
    tags = ("Accounts and sessions",)

    @get(access=IN_PERSON, summary="List the caller's API keys")
    async def list_api_keys(
        self,
        api_keys: Injected[ApiKeys],
        actor: CurrentActor,
        listing: CurrentListing,
        limit: Limit = USUAL_LIMIT,
        cursor: Cursor = None,
    ) -> Response[ListOf[ApiKeyShown]]:
        """The latest first, and those that expired in the last 30 days among them. Their texts are not kept."""
        page = await api_keys.list_keys(listing.page(limit, cursor, keys=tuple[UUID]), actor=actor)
        return listing.answer(page.map(api_key_shown))

    @post(
        access=IN_PERSON,
        errors=(Forbidden, ReauthenticationRequired, TooManyApiKeys),
        summary="Make an API key",
    )
    async def create_api_key(
        self, data: JSONBody[NewApiKeyBody], api_keys: Injected[ApiKeys], actor: CurrentActor
    ) -> Response[IssuedApiKeyShown]:
        """The key is shown this once. It can allow no more than the caller may do, and what is taken from the
        caller later is taken from the key as well. The log-in must not be older than 15 minutes."""
        issued = await api_keys.create(data.to_new_api_key(), actor=actor)
        headers = {"location": f"/v1/auth/api-keys/{issued.key.id}", "cache-control": "no-store"}
        return Response(issued_api_key_shown(issued), status_code=201, headers=headers)

    @delete("/{api_key_id:uuid}", access=IN_PERSON, summary="Delete one of the caller's API keys")
    async def delete_api_key(
        self, api_key_id: FromPath[UUID], api_keys: Injected[ApiKeys], actor: CurrentActor
    ) -> None:
        """It stops working at once, on every instance."""
        await api_keys.end(api_key_id, actor=actor)
