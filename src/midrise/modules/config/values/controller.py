"""`/v1/config`."""

from typing import Annotated

from litestar import Controller, Response, delete, get, put
from litestar.openapi.spec import Example
from litestar.params import PathParameter, RequestBody

from midrise.foundation.http.access import ANYONE, needs
from midrise.foundation.http.caching import Cached
from midrise.foundation.http.current import CurrentActor, Injected
from midrise.foundation.http.etags import IfMatch, IfNoneMatch, expected, resource_answer
from midrise.foundation.http.listing import CurrentListing, ListOf
from midrise.foundation.http.parameters import Cursor, Limit
from midrise.foundation.paging import USUAL_LIMIT
from midrise.modules.config.values.model import CONFIG_GENERATION, READ
from midrise.modules.config.values.schemas import ConfigEntryShown, NewConfigValue, entry_shown
from midrise.modules.config.values.service import Configuration

ConfigurationService = Injected[Configuration]
Key = Annotated[
    str,
    PathParameter(
        min_length=1, max_length=200, description="The key", examples=[Example(value="registration.open")]
    ),
]


class ConfigController(Controller):
    """The configuration."""

    path = "/v1/config"
    tags = ("Configuration",)

    @get(
        access=ANYONE,
        cached=Cached(CONFIG_GENERATION, split_by=READ),
        summary="List the configuration",
    )
    async def list_config(
        self,
        configuration: ConfigurationService,
        actor: CurrentActor,
        listing: CurrentListing,
        limit: Limit = USUAL_LIMIT,
        cursor: Cursor = None,
    ) -> Response[ListOf[ConfigEntryShown]]:
        """Every key with what is in force, by key: the public ones, and with `config:read` all."""
        page = await configuration.list_entries(actor, listing.page(limit, cursor, keys=tuple[str]))
        return listing.answer(page.map(entry_shown))

    @get(
        "/{key:str}",
        access=ANYONE,
        cached=Cached(CONFIG_GENERATION, split_by=READ),
        summary="Read a configuration value",
    )
    async def get_config(
        self,
        configuration: ConfigurationService,
        actor: CurrentActor,
        key: Key,
        if_none_match: IfNoneMatch = None,
    ) -> Response[ConfigEntryShown]:
        """What is in force for a key. Without `config:read` only public keys exist."""
        entry = await configuration.get_entry(actor, key)
        return resource_answer(entry_shown(entry), tag=entry.tag, if_none_match=if_none_match)

    @put("/{key:str}", access=needs("config:write"), summary="Set a configuration value")
    async def set_config(
        self,
        configuration: ConfigurationService,
        actor: CurrentActor,
        key: Key,
        data: RequestBody[NewConfigValue],
        if_match: IfMatch = None,
    ) -> Response[ConfigEntryShown]:
        """In force with the next request, on every instance. The value must be of the key's type."""
        entry = await configuration.set_value(actor, key, value=data.value, expected=expected(if_match))
        return resource_answer(entry_shown(entry), tag=entry.tag)

    @delete("/{key:str}", access=needs("config:write"), summary="Go back to the default")
    async def reset_config(
        self,
        configuration: ConfigurationService,
        actor: CurrentActor,
        key: Key,
        if_match: IfMatch = None,
    ) -> None:
        """The default is in force with the next request, on every instance."""
        await configuration.reset(actor, key, expected=expected(if_match))
