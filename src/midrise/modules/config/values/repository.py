"""Values of the configuration in PostgreSQL."""

from collections.abc import Mapping, Sequence

import asyncpg
from sqlalchemy import Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.modules.config.tables import config_values
from midrise.modules.config.values.model import StoredValue

_COLUMNS = (config_values.c.value, config_values.c.version, config_values.c.updated_at)

_FIND = Statement(select(*_COLUMNS).where(config_values.c.key == bindparam("key")))
_FIND_MANY = Statement(
    select(config_values.c.key, *_COLUMNS).where(
        config_values.c.key == bindparam("keys", type_=ARRAY(Text)).any_()
    )
)
_MAKE_ROW = insert(config_values).values(key=bindparam("key"), version=0)
# A key that was never set has no row to lock: it is made first. The update changes nothing but takes the lock.
_HOLD = Statement(
    _MAKE_ROW.on_conflict_do_update(
        index_elements=[config_values.c.key], set_={"version": config_values.c.version}
    ).returning(*_COLUMNS)
)
_REPLACE = Statement(
    update(config_values)
    .where(config_values.c.key == bindparam("of_key"))
    .values(
        value=bindparam("value"),
        version=bindparam("version"),
        updated_at=bindparam("updated_at"),
    )
)


class PostgresConfigValues:
    """The table of values."""

    async def find(self, unit: ReadUnit, key: str) -> StoredValue | None:
        row = await unit.row(_FIND, key=key)
        return _stored(row) if row else None

    async def find_many(self, unit: ReadUnit, keys: Sequence[str]) -> Mapping[str, StoredValue]:
        """What is kept of these keys; those that were never set are left out."""
        rows = await unit.rows(_FIND_MANY, keys=list(keys))
        return {row["key"]: _stored(row) for row in rows}

    async def hold(self, tx: WriteUnit, key: str) -> StoredValue:
        """What is kept of the key, which nobody else changes until the transaction ends."""
        row = await tx.row(_HOLD, key=key)
        return _stored(row) if row else StoredValue()

    async def replace(self, tx: WriteUnit, key: str, value: StoredValue) -> None:
        """Keep this of the key, which is held."""
        await tx.execute(
            _REPLACE, of_key=key, value=value.value, version=value.version, updated_at=value.updated_at
        )


def _stored(row: asyncpg.Record) -> StoredValue:
    return StoredValue(row["value"], row["version"], row["updated_at"])
