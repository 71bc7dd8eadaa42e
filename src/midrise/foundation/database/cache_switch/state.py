"""The row in PostgreSQL: which epoch of the cache is in force, on which server, or until when it is off."""

from dataclasses import dataclass, field
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
    bindparam,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import INTERVAL

from midrise.foundation.database.metadata import metadata
from midrise.foundation.database.statements import Statement

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
_TURN_OFF = Statement(
    update(cache_state).values(
        off_until=func.greatest(
            cache_state.c.off_until, func.clock_timestamp() + bindparam("duration", type_=INTERVAL)
        )
    )
)
_TURN_ON = Statement(
    update(cache_state)
    .where(
        cache_state.c.epoch == bindparam("former_epoch"),
        cache_state.c.off_until < func.clock_timestamp(),
    )
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
    prefix: str
    """What stands in front of every key: what was kept under another can't be found."""
    bound_to: str | None = field(init=False, repr=False)
    """The run of the cache that the epoch was begun for; None where another primary began it."""

    def __post_init__(self) -> None:
        # Asked for several times by each request.
        run = self.server.removesuffix(self.bond(""))
        object.__setattr__(self, "bound_to", run if run != self.server else None)

    def is_bound_to(self, server_id: str | None) -> bool:
        """Whether the epoch was begun for this server, and by this primary.

        A primary that was promoted a moment ago finds the epoch of the one before it, in which servers may
        believe that haven't noticed yet.
        """
        return server_id is not None and server_id == self.bound_to

    def bond(self, server_id: str) -> str:
        """What an epoch is bound to: one run of the cache, and the timeline of one primary."""
        return f"{server_id}@{self.timeline}"


class PostgresCacheState:
    """Statements on the row, each on the connection that it is given."""

    async def read(self, connection: Any) -> CacheState:
        """Raises asyncpg's errors, also on a server that is no primary."""
        row = await connection.fetchrow(_READ.sql, *_READ.arguments({}))
        return CacheState(
            row["epoch"],
            row["server"],
            row["is_on"],
            row["off_for_seconds"],
            timeline=row["timeline"],
            prefix=f"{row['epoch']}.{row['timeline']}:",
        )

    async def turn_off(self, connection: Any, duration: Any) -> None:
        """Off for that long at least; committed when it returns."""
        await connection.execute(_TURN_OFF.sql, *_TURN_OFF.arguments({"duration": duration}))

    async def turn_on(self, connection: Any, former: CacheState, *, epoch: str, server_id: str) -> None:
        """On, where it is still off as it was in the former state, and due to be turned on: nothing that was
        kept before is found under the new epoch."""
        values = {"former_epoch": former.epoch, "epoch": epoch, "server": former.bond(server_id)}
        await connection.execute(_TURN_ON.sql, *_TURN_ON.arguments(values))
