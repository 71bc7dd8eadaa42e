"""The configuration: what is in force, and how it is changed."""

from collections.abc import Iterable
from typing import TypeVar

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, ReadUnit, WriteUnit
from midrise.foundation.errors import NotFound
from midrise.foundation.module import ConfigKey, ConfigValue
from midrise.foundation.paging import Page, PageRequest, page_of_sorted
from midrise.foundation.versions import Expected
from midrise.modules.audit import AuditTrail
from midrise.modules.config.values.model import (
    CONFIG_GENERATION,
    READ,
    ConfigAction,
    ConfigEntry,
    StoredValue,
    as_declared,
    declared,
    entry_of,
)
from midrise.modules.config.values.repository import PostgresConfigValues

Value = TypeVar("Value", bound=ConfigValue)


class Configuration:
    """The values that modules declared: in force is what an administrator set, else the default."""

    def __init__(
        self,
        database: Database,
        values: PostgresConfigValues,
        *,
        audit: AuditTrail,
        keys: Iterable[ConfigKey[ConfigValue]],
    ) -> None:
        self._database = database
        self._values = values
        self._audit = audit
        self._keys = declared(keys)

    async def get_value(self, unit: ReadUnit, key: ConfigKey[Value]) -> Value:
        """The value in force, in the type of the key. Raises `KeyError` for a key that no module declares."""
        declaration = self._keys[key.key]
        stored = await self._values.find(unit, declaration.key)
        return as_declared(entry_of(declaration, stored or StoredValue()).value, key)

    async def list_entries(self, actor: Actor, page: PageRequest) -> Page[ConfigEntry]:
        """What the caller may see, by key."""
        seen = [key for key in self._keys.values() if _may_see(actor, key)]
        found = page_of_sorted(seen, page, key=lambda key: key.key)
        async with self._database.read() as unit:
            stored = await self._values.find_many(unit, [key.key for key in found.rows])
        return found.map(lambda key: entry_of(key, stored.get(key.key, StoredValue())))

    async def get_entry(self, actor: Actor, name: str) -> ConfigEntry:
        """The key and what is in force. Raises `NotFound` where the caller may not see it."""
        key = self._keys.get(name)
        if key is None or not _may_see(actor, key):
            raise NotFound(_RESOURCE)
        async with self._database.read() as unit:
            stored = await self._values.find(unit, name)
        return entry_of(key, stored or StoredValue())

    async def set_value(
        self, actor: Actor, name: str, *, value: ConfigValue, expected: Expected
    ) -> ConfigEntry:
        """Put a value in force. Raises `NotFound`, `Invalid` and `PreconditionFailed`."""
        key = self._key(name)
        wanted = as_declared(value, key)

        async def put(tx: WriteUnit) -> StoredValue:
            stored = await self._held(tx, name, expected)
            if stored.value == wanted and type(stored.value) is type(wanted):
                return stored
            return await self._change(tx, actor, key, stored, wanted)

        return entry_of(key, await self._database.write_once(actor.attempt, StoredValue, put))

    async def reset(self, actor: Actor, name: str, *, expected: Expected) -> None:
        """Put the default back in force. Raises `NotFound` and `PreconditionFailed`."""
        key = self._key(name)

        async def reset(tx: WriteUnit) -> None:
            stored = await self._held(tx, name, expected)
            if stored.value is not None:
                await self._change(tx, actor, key, stored, None)

        await self._database.write_once(actor.attempt, type(None), reset)

    def _key(self, name: str) -> ConfigKey[ConfigValue]:
        key = self._keys.get(name)
        if key is None:
            raise NotFound(_RESOURCE)
        return key

    async def _held(self, tx: WriteUnit, name: str, expected: Expected) -> StoredValue:
        stored = await self._values.hold(tx, name)
        version = str(stored.version)
        expected.check(version, current=version)
        return stored

    async def _change(
        self,
        tx: WriteUnit,
        actor: Actor,
        key: ConfigKey[ConfigValue],
        stored: StoredValue,
        value: ConfigValue | None,
    ) -> StoredValue:
        changed = StoredValue(value, stored.version + 1, clock.now())
        await self._values.replace(tx, key.key, changed)
        tx.mark(CONFIG_GENERATION)
        before, after = entry_of(key, stored).value, entry_of(key, changed).value
        await self._audit.record(
            tx,
            actor,
            action=ConfigAction.SET if value is not None else ConfigAction.RESET,
            resource=f"config:{key.key}",
            changes={"value": {"from": before, "to": after}},
        )
        return changed


_RESOURCE = "configuration key"


def _may_see(actor: Actor, key: ConfigKey[ConfigValue]) -> bool:
    return key.public or actor.may(READ)
