"""Changes that wait for the last statement of their unit and go to the server in one with it.

A round trip costs more than most changes: an entry in the audit need not have one of its own. What is joined is
one statement of PostgreSQL (``WITH … INSERT …``), so it has one snapshot: no part sees what another one did.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ClauseElement,
    Select,
    Table,
    bindparam,
    exists,
    literal_column,
    select,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.sql import visitors

from midrise.foundation.database.statements import XID, Statement, current_xid

_LAST = "last"


class LateInsert(Statement):
    """An insertion that may wait: of the rows of a query, in its order, with what is done on a conflict.

    The query must not read what its unit writes, and nobody may need to know what became of the insertion.
    Values are given to the query alone: ``settle`` takes them from what was to be inserted.
    """

    __slots__ = ("_columns", "_rows", "_settle", "_table")

    def __init__(
        self,
        table: Table,
        rows: Select[Any],
        *,
        columns: Sequence[str],
        settle: Callable[[Insert], Insert] | None = None,
    ) -> None:
        self._table, self._rows, self._columns, self._settle = table, rows, list(columns), settle
        super().__init__(self._insertion(rows))

    @classmethod
    def of_row(cls, table: Table) -> "LateInsert":
        """Of one row, each column of which is given by its name."""
        row = select(*(bindparam(column.name, type_=column.type) for column in table.columns))
        return cls(table, row, columns=[column.name for column in table.columns])

    def joined(self, prefix: str, condition: CTE | None) -> CTE:
        """A part of a larger statement; with a condition, nothing is inserted unless that gives a row."""
        rows = _renamed(self._rows, prefix)
        if condition is not None:
            rows = rows.where(exists(select(literal_column("1")).select_from(condition)))
        return self._insertion(rows).cte(prefix)

    def _insertion(self, rows: Select[Any]) -> Insert:
        clause = insert(self._table).from_select(self._columns, rows)
        return clause if self._settle is None else self._settle(clause)


class Joined:
    """A unit's last statement and the insertions that waited for it, as one.

    It gives the first row of the last statement with the id of its transaction (`XID`) on it. Without that row
    nothing is inserted; where there is no last statement, all is.
    """

    __slots__ = ("_statement",)

    def __init__(self, last: Statement | None, late: Sequence[LateInsert]) -> None:
        condition = None if last is None else _renamed(last.clause, _LAST).cte(_LAST)
        parts = (each.joined(_prefix(place), condition) for place, each in enumerate(late))
        told = select(current_xid().label(XID))
        if condition is not None:
            told = select(condition, current_xid().label(XID))
        self._statement = Statement(told.add_cte(*parts))

    @property
    def sql(self) -> str:
        return self._statement.sql

    def arguments(self, last: Mapping[str, object], late: Sequence[Mapping[str, object]]) -> list[object]:
        """The values in the order of the statement's places. Raises `KeyError` for one that is missing."""
        named = chain([(_LAST, last)], ((_prefix(place), values) for place, values in enumerate(late)))
        return self._statement.arguments(
            {f"{prefix}_{name}": value for prefix, values in named for name, value in values.items()}
        )


@cache
def join(last: Statement | None, *late: LateInsert) -> Joined:
    """Join them; those that are joined again are built once."""
    return Joined(last, late)


def _prefix(place: int) -> str:
    return f"late_{place}"


def _renamed(clause: ClauseElement, prefix: str) -> Any:
    """The clause with its parameters under other names, so that those of two clauses don't meet."""

    def rename(element: Any, **_: Any) -> Any:
        if isinstance(element, BindParameter) and element.required:
            return bindparam(f"{prefix}_{element.key}", type_=element.type)
        return None

    return visitors.replacement_traverse(clause, {}, rename)
