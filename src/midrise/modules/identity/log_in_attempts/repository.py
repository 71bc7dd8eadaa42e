"""Log-in attempts in PostgreSQL, whose clock they are counted by: all instances count in one place."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    ARRAY,
    CTE,
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    LargeBinary,
    Select,
    and_,
    bindparam,
    cast,
    column,
    delete,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, array, insert

from midrise.foundation.database import LateInsert, Statement, WriteUnit, deletion_of
from midrise.modules.identity.log_in_attempts.model import Attempts, Limit
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
_MOMENT = log_in_attempts.c.last_at.type
_COUNTED = (
    func.unnest(
        bindparam("places", type_=ARRAY(LargeBinary)),
        bindparam("moments", type_=log_in_attempts.c.made_at.type),
    )
    .table_valued(column("place", LargeBinary), column("moment", _MOMENT), with_ordinality="turn")
    .render_derived(name="counted")
)


def _taken_back(streak: Callable[[ColumnElement[int]], ColumnElement[int]]) -> LateInsert:
    """Attempts taken back at places that are locked in their order, and in the state that they have then.

    An update would lock them in any order. What an insertion would need is there: the moment comes as
    ``last_at``, and where the place was forgotten meanwhile, an empty one is kept until it is purged.
    """
    nothing = cast([], log_in_attempts.c.made_at.type)
    places = select(_COUNTED.c.place, nothing, literal_column("0", Integer), _COUNTED.c.moment)

    def settle(clause: Insert) -> Insert:
        return clause.on_conflict_do_update(
            index_elements=[log_in_attempts.c.place],
            set_={
                "made_at": func.array_remove(log_in_attempts.c.made_at, clause.excluded.last_at),
                "streak": streak(log_in_attempts.c.streak),
            },
        )

    columns = ["place", "made_at", "streak", "last_at"]
    return LateInsert(log_in_attempts, places.order_by(_COUNTED.c.turn), columns=columns, settle=settle)


_SUCCEED = _taken_back(lambda _: literal_column("0", Integer))
_GIVE_BACK = _taken_back(
    lambda streak: func.greatest(streak - literal_column("1", Integer), literal_column("0", Integer))
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
_PRESENT = func.clock_timestamp(type_=_MOMENT)


@cache
def _count_unsuspicious(number: int) -> Statement:
    """Each place follows from the one before: so they are locked in their order, and none without that one."""
    suspicious = [_is_suspicious(turn, bindparam(f"place_{turn}")) for turn in range(1, number)]
    rows = _new_attempt(0).where(~exists().where(or_(*suspicious))) if suspicious else _new_attempt(0)
    counted = [_add_attempt(0, rows)]
    for turn in range(1, number):
        counted.append(_add_attempt(turn, _new_attempt(turn).select_from(counted[-1])))
    joined: FromClause = counted[0]
    for each in counted[1:]:
        joined = joined.outerjoin(each, true())
    moments = (each.c.moment.label(f"moment_{turn}") for turn, each in enumerate(counted))
    return Statement(select(*moments).select_from(joined))


def _new_attempt(turn: int) -> Select[Any]:
    return select(
        bindparam(f"place_{turn}", type_=LargeBinary), array([_PRESENT]), literal_column("1", Integer), _PRESENT
    )


def _add_attempt(turn: int, rows: Select[Any]) -> CTE:
    made_at = log_in_attempts.c.made_at
    clause = insert(log_in_attempts).from_select(["place", "made_at", "streak", "last_at"], rows)
    clause = clause.on_conflict_do_update(
        index_elements=[log_in_attempts.c.place],
        set_={
            "made_at": func.array_append(made_at, _PRESENT),
            "streak": log_in_attempts.c.streak + literal_column("1", Integer),
            "last_at": _PRESENT,
        },
        where=~_is_suspicious(turn, None),
    )
    return clause.returning(made_at[func.cardinality(made_at)].label("moment")).cte(f"counted_{turn}")


def _is_suspicious(turn: int, place: BindParameter[Any] | None) -> ColumnElement[bool]:
    """Of the row at the place, or of the row that is there already."""
    many = or_(
        log_in_attempts.c.streak >= bindparam(f"free_{turn}"),
        func.cardinality(log_in_attempts.c.made_at) >= bindparam(f"room_{turn}", type_=Integer),
    )
    return many if place is None else and_(log_in_attempts.c.place == place, many)


_FORGET = Statement(delete(log_in_attempts).where(_IS_PLACE))
_PURGE = deletion_of(
    select(log_in_attempts.c.place)
    .where(log_in_attempts.c.last_at < bindparam("before"))
    .order_by(log_in_attempts.c.last_at)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
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

    async def count_unsuspicious(
        self, tx: WriteUnit, places: Sequence[tuple[Limit, bytes]]
    ) -> Mapping[bytes, datetime]:
        """Add an attempt at each place if there is nothing suspicious at any; where it was added, and as when.

        One statement, which concludes the unit. Places are locked in their order, and judged and given the time
        once they are. So if guesses come in between, a later place may have got suspicious, and the attempt is
        added at the first ones alone.
        """
        row = await tx.conclude(
            _count_unsuspicious(len(places)),
            **{f"place_{turn}": place for turn, (_, place) in enumerate(places)},
            **{f"free_{turn}": limit.free for turn, (limit, _) in enumerate(places)},
            **{f"room_{turn}": limit.unsuspicious for turn, (limit, _) in enumerate(places)},
        )
        moments = row or ()
        return {
            place: moment for (_, place), moment in zip(places, moments, strict=False) if moment is not None
        }

    def succeed(self, tx: WriteUnit, made_at: Mapping[bytes, datetime]) -> None:
        """Have an attempt taken back that was right: those that are made next need not wait."""
        tx.later(_SUCCEED, places=list(made_at), moments=list(made_at.values()))

    def give_back(self, tx: WriteUnit, made_at: Mapping[bytes, datetime]) -> None:
        """Have an attempt taken back that nobody judged."""
        tx.later(_GIVE_BACK, places=list(made_at), moments=list(made_at.values()))

    async def ease(self, tx: WriteUnit, place: bytes, *, room: int) -> None:
        """Make room for so many more: those that are made next need not wait."""
        await tx.execute(_EASE, its_place=place, room=room)

    async def forget(self, tx: WriteUnit, place: bytes) -> None:
        await tx.execute(_FORGET, its_place=place)

    async def purge(self, tx: WriteUnit, *, last_before: datetime, limit: int) -> int:
        """Remove so many places at most where nothing was tried since; how many it were."""
        return await tx.execute(_PURGE, before=last_before, limit=limit)
