"""SQLAlchemy Core statements, compiled once, in the form that asyncpg runs.

A repository builds its statements when it is imported (or once per shape of a filter) and runs them by name of
parameter. Values are always bound, never pasted: there is no SQL injection to look for.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ClauseElement,
    Insert,
    Select,
    any_,
    delete,
    func,
    literal_column,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

PLACE = "place__"
XMIN = "xmin__"
NEXT_XID = "next_xid__"
FOUND = "found__"
XID = "xid__"

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves dialects untyped


class Statement:
    """A statement of SQLAlchemy Core as text with ``$1``, ``$2``, … and the names that stand behind them.

    Parameters are `bindparam`s; literals in the statement keep the value they were built with.
    """

    __slots__ = ("_fixed", "_names", "clause", "placed_sql", "sql", "xid_sql")

    def __init__(self, clause: ClauseElement) -> None:
        self.clause = clause
        compiled = clause.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        self.placed_sql = _placed(clause)
        """The same with what its snapshot saw (`PLACE`, `XMIN`, `NEXT_XID`) on every row; where nothing is
        found there is one row, without `FOUND`. None for what is no query."""
        self.xid_sql = _with_xid(clause)
        """The same with the id of its transaction (`XID`) on the row; None where that can't be asked beside."""
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


def deletion_of(found: Select[Any]) -> Statement:
    """The removal of the rows whose key, its one column, the query finds; with a limit, of so many at most.

    They are looked for once. With `IN (SELECT …)` the planner may have them looked for again for each row, if
    it takes the table for small: then it lasts beyond all limits, and removes more than it should.
    """
    (key,) = found.exported_columns
    return Statement(delete(key.table).where(key == any_(func.array(found.scalar_subquery()))))


# The byte of the log that the asking statement can see up to, as a number. On the primary that is where the log
# ends now, behind everything that the statement's snapshot holds.
_LSN = """
pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END, '0/0'
)::bigint
"""


def present_lsn() -> Any:
    """The byte of the log that the asking statement can see up to, as a number."""
    return literal_column(_LSN, BigInteger)


def current_xid() -> Any:
    """The id of the asking transaction, as a number; a transaction that has none gets one."""
    return literal_column("pg_current_xact_id()::text::bigint", BigInteger)


# A number above every transaction id that was given out when it was asked for. The snapshot's own xmax is not:
# it is above the ids of transactions that have ended, and one that is under way may have it. What `age` counts
# from is the next id to be given out. A replica knows nothing of the primary's.
_NEXT_XID = """
CASE WHEN pg_is_in_recovery() THEN NULL
ELSE pg_snapshot_xmax(value)::text::bigint + age(pg_snapshot_xmax(value)::xid) END
"""
_SEEN = (
    select(
        present_lsn().label(PLACE),
        literal_column("pg_snapshot_xmin(value)::text::bigint", BigInteger).label(XMIN),
        literal_column(_NEXT_XID, BigInteger).label(NEXT_XID),
    )
    .select_from(text("pg_current_snapshot() AS snapshot(value)"))
    .subquery("seen")
)


def _placed(clause: ClauseElement) -> str | None:
    if not isinstance(clause, Select):
        return None
    found = clause.add_columns(literal_column("true", Boolean).label(FOUND)).subquery("answer")
    joined = select(found, _SEEN).select_from(_SEEN.outerjoin(found, true()))
    return str(joined.compile(dialect=_DIALECT))


def _with_xid(clause: ClauseElement) -> str | None:
    if not isinstance(clause, Insert) or clause.select is not None:
        return None
    returning = clause.returning(current_xid().label(XID))
    return str(returning.compile(dialect=_DIALECT))
