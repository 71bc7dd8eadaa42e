"""SQLAlchemy Core statements, compiled once, in the form that asyncpg runs.

A repository builds its statements when it is imported (or once per shape of a filter) and runs them by name of
parameter. Values are always bound, never pasted: there is no SQL injection to look for.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, ClauseElement, Select, case, cast, func, select, text
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

PLACE = "place__"

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves dialects untyped


class Statement:
    """A statement of SQLAlchemy Core as text with ``$1``, ``$2``, … and the names that stand behind them.

    Parameters are `bindparam`s; literals in the statement keep the value they were built with.
    """

    __slots__ = ("_fixed", "_names", "placed_sql", "sql")

    def __init__(self, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self.placed_sql = _placed(clause)
        """The same with a column more, `PLACE`: how far the database had come when it answered; None where
        that can't be asked beside."""
        self._names: tuple[str, ...] = tuple(getattr(compiled, "positiontup", None) or ())
        self._fixed: Mapping[str, Any] = {
            name: bind.value
            for name, bind in getattr(compiled, "binds", {}).items()
            if name in self._names and not bind.required
        }

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """The values in the order of the statement's places. Raises `KeyError` for one that is missing."""
        fixed = self._fixed
        return [values[name] if name in values else fixed[name] for name in self._names]

    def __repr__(self) -> str:
        return f"<Statement {self.sql}>"


def present_lsn() -> Any:
    """The byte of the log that the asking statement can see up to, as a number.

    On the primary that is where the log ends now, behind everything that the statement's snapshot holds.
    """
    place = case(
        (func.pg_is_in_recovery(), func.pg_last_wal_replay_lsn()), else_=func.pg_current_wal_insert_lsn()
    )
    return cast(func.pg_wal_lsn_diff(place, text("'0/0'::pg_lsn")), BigInteger)


def _placed(clause: ClauseElement) -> str | None:
    if not isinstance(clause, Select):
        return None
    # As a subquery of its own it is run once a statement, not once a row.
    with_place = clause.add_columns(select(present_lsn()).scalar_subquery().label(PLACE))
    return str(with_place.compile(dialect=_DIALECT))
