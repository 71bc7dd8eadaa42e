"""The row in PostgreSQL: which epoch of the cache is in force, on which server, or until when it is off."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    SmallInteger,
    Table,
    Text,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL

from midrise.foundation.database.metadata import metadata
from midrise.foundation.database.statements import Statement

_LOCK = 0x6D6964_72697365
"""The advisory lock that unmarked changes share, and that turning on takes alone ("midrise" in ASCII)."""

cache_state = Table(
    "cache_state",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", Text(collation="C"), nullable=False),
    Column("server", Text(collation="C"), nullable=False),
    Column("off_until", DateTime(timezone=True)),
    CheckConstraint("id = 1", name="one_row"),
)

# The timeline of the log that is being written: the control file tells it only after the next checkpoint.
_TIMELINE = "('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::bigint"
_COLUMNS = (
    cache_state.c.epoch,
    cache_state.c.server,
    cache_state.c.off_until.is_(None).label("is_on"),
    func.coalesce(func.extract("epoch", cache_state.c.off_until - func.clock_timestamp()), 0)
    .cast(Float)
    .label("off_for_seconds"),
    literal_column(_TIMELINE, BigInteger).label("timeline"),
)
_READ = Statement(select(*_COLUMNS))
_SHARE = Statement(select(func.pg_advisory_xact_lock_shared(literal_column(str(_LOCK), BigInteger))))
_TAKE = Statement(select(func.pg_advisory_xact_lock(literal_column(str(_LOCK), BigInteger))))
_ALLOW_WRITING = Statement(text("SET default_transaction_read_only = off"))
_WAIT_BRIEFLY = Statement(text("SET LOCAL lock_timeout = '200ms'"))
_TURN_OFF = Statement(
    update(cache_state).values(
        off_until=func.greatest(
            cache_state.c.off_until, func.clock_timestamp() + bindparam("duration", type_=INTERVAL)
        )
    )
)
_TURN_ON = Statement(
    update(cache_state)
    .where(and_(cache_state.c.off_until.is_not(None), cache_state.c.off_until < func.clock_timestamp()))
    .values(epoch=bindparam("epoch"), server=bindparam("server"), off_until=None)
)


@dataclass(frozen=True, slots=True)
class CacheState:
    """The row as it was read. ``timeline`` is that of the primary; the cache is off while not ``is_on``."""

    epoch: str
    server: str
    is_on: bool
    off_for_seconds: float
    timeline: int

    @property
    def prefix(self) -> str:
        """What stands in front of every key: what was kept under another can't be found."""
        return f"{self.epoch}.{self.timeline}:"


class PostgresCacheState:
    """Statements on the row, each on the connection that it is given."""

    async def read(self, connection: Any) -> CacheState:
        """Raises asyncpg's errors, also on a server that is no primary."""
        row = await connection.fetchrow(_READ.sql)
        return CacheState(
            row["epoch"], row["server"], row["is_on"], row["off_for_seconds"], timeline=row["timeline"]
        )

    async def allow_writing(self, connection: Any) -> None:
        """Connections that look at servers are made for reading."""
        await connection.execute(_ALLOW_WRITING.sql)

    async def share_lock(self, connection: Any) -> None:
        """Keep the cache from being turned on until the transaction of the connection ends."""
        await connection.execute(_SHARE.sql)

    async def turn_off(self, connection: Any, duration: Any) -> None:
        """Off for that long at least; committed when it returns."""
        await connection.execute(_TURN_OFF.sql, duration)

    async def turn_on(self, connection: Any, *, epoch: str, server: str) -> None:
        """On, where it may be: nothing that was kept before is found under the new epoch.

        Changes that could not be marked are waited for, but briefly, since further ones wait meanwhile; then
        it raises asyncpg's error, and may be tried again.
        """
        async with connection.transaction():
            await connection.execute(_WAIT_BRIEFLY.sql)
            await connection.execute(_TAKE.sql)
            await connection.execute(_TURN_ON.sql, *_TURN_ON.arguments({"epoch": epoch, "server": server}))
