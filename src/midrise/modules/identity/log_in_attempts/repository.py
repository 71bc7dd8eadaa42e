"""Log-in attempts in PostgreSQL, whose clock they are counted by: all instances count in one place."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Integer, bindparam, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert

from midrise.foundation.database import Statement, WriteUnit
from midrise.modules.identity.log_in_attempts.model import Attempts
from midrise.modules.identity.tables import log_in_attempts

_NEW = insert(log_in_attempts).values(
    place=bindparam("place"), made_at=bindparam("none"), streak=literal(0), last_at=func.now()
)
# The time is asked for once the row is locked: guesses at one place have an order.
_LOCK = Statement(
    _NEW.on_conflict_do_update(
        index_elements=[log_in_attempts.c.place], set_={"streak": log_in_attempts.c.streak}
    ).returning(log_in_attempts.c.made_at, log_in_attempts.c.streak, func.clock_timestamp().label("present"))
)
_SAVE = Statement(
    update(log_in_attempts)
    .where(log_in_attempts.c.place == bindparam("its_place"))
    .values(made_at=bindparam("made_at"), streak=bindparam("streak"), last_at=bindparam("last_at"))
)
_IS_PLACE = log_in_attempts.c.place == bindparam("its_place")
_WITHOUT = func.array_remove(
    log_in_attempts.c.made_at, bindparam("moment", type_=log_in_attempts.c.last_at.type)
)
_SUCCEED = Statement(update(log_in_attempts).where(_IS_PLACE).values(made_at=_WITHOUT, streak=literal(0)))
_GIVE_BACK = Statement(
    update(log_in_attempts)
    .where(_IS_PLACE)
    .values(made_at=_WITHOUT, streak=func.greatest(log_in_attempts.c.streak - literal(1), literal(0)))
)
_EASE = Statement(
    update(log_in_attempts)
    .where(_IS_PLACE)
    .values(
        made_at=func.trim_array(
            log_in_attempts.c.made_at,
            func.least(bindparam("room", type_=Integer), func.cardinality(log_in_attempts.c.made_at)),
        ),
        streak=literal(0),
    )
)
_FORGET = Statement(delete(log_in_attempts).where(_IS_PLACE))
_PURGE = Statement(
    delete(log_in_attempts).where(
        log_in_attempts.c.place.in_(
            select(log_in_attempts.c.place)
            .where(log_in_attempts.c.last_at < bindparam("before"))
            .order_by(log_in_attempts.c.last_at)
            .limit(bindparam("limit"))
            .with_for_update(skip_locked=True)
        )
    )
)


class PostgresLogInAttempts:
    """The table of attempts; a place is what they are guesses at, or come from, by its digest."""

    async def lock(self, tx: WriteUnit, place: bytes) -> tuple[Attempts, datetime]:
        """The attempts at the place, which nobody else adds to until the transaction ends, and the time."""
        row = await tx.row(_LOCK, place=place, none=[])
        if row is None:
            raise LookupError("an upsert gives its row")
        return Attempts(row["made_at"], row["streak"]), row["present"]

    async def save(self, tx: WriteUnit, place: bytes, *, made_at: Sequence[datetime], streak: int) -> None:
        """Keep these attempts, of which there is at least one, in place of those before."""
        await tx.execute(_SAVE, its_place=place, made_at=list(made_at), streak=streak, last_at=made_at[-1])

    async def succeed(self, tx: WriteUnit, place: bytes, *, made_at: datetime) -> None:
        """Take back an attempt, which was right: those that are made next need not wait."""
        await tx.execute(_SUCCEED, its_place=place, moment=made_at)

    async def give_back(self, tx: WriteUnit, place: bytes, *, made_at: datetime) -> None:
        """Take back an attempt that nobody judged."""
        await tx.execute(_GIVE_BACK, its_place=place, moment=made_at)

    async def ease(self, tx: WriteUnit, place: bytes, *, room: int) -> None:
        """Make room for so many more: those that are made next need not wait."""
        await tx.execute(_EASE, its_place=place, room=room)

    async def forget(self, tx: WriteUnit, place: bytes) -> None:
        await tx.execute(_FORGET, its_place=place)

    async def purge(self, tx: WriteUnit, *, last_before: datetime, limit: int) -> int:
        """Remove so many places at most where nothing was tried since; how many it were."""
        return await tx.execute(_PURGE, before=last_before, limit=limit)
