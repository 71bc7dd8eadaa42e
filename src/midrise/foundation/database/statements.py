"""SQLAlchemy Core statements, compiled once, in the form that asyncpg runs.

A repository builds its statements when it is imported (or once per shape of a filter) and runs them by name of
parameter. Values are always bound, never pasted: there is no SQL injection to look for.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves dialects untyped


class Statement:
    """A statement of SQLAlchemy Core as text with ``$1``, ``$2``, … and the names that stand behind them.

    Parameters are `bindparam`s; literals in the statement keep the value they were built with.
    """

    __slots__ = ("_fixed", "_names", "sql")

    def __init__(self, clause: ClauseElement) -> None:
        compiled = clause.compile(dialect=_DIALECT)
        self.sql = str(compiled)
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
