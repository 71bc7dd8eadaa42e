"""The rows of a person in PostgreSQL.

Every table that refers to users is named here, or kept back with a reason in
`tests/architecture/test_exports.py`, which fails on a column that is neither.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg
from sqlalchemy import Column, bindparam, select

from midrise.foundation.database import ReadUnit, Statement
from midrise.modules.identity.exports.model import Record
from midrise.modules.identity.tables import api_keys, email_tokens, second_factors, sessions

SHOWN: Mapping[str, Sequence[Column[object]]] = {
    "second_factors": (second_factors.c.created_at, second_factors.c.confirmed_at),
    "api_keys": tuple(
        api_keys.c[name] for name in ("id", "name", "permissions", "created_at", "last_used_at", "expires_at")
    ),
    "email_tokens": tuple(
        email_tokens.c[name] for name in ("purpose", "email", "created_at", "expires_at", "spent_at")
    ),
}
"""Tables of which a person has few rows, and what is shown of them."""

SHOWN_OF_SESSIONS: Sequence[Column[object]] = (
    sessions.c.id,
    sessions.c.user_agent,
    sessions.c.address,
    sessions.c.created_at,
    sessions.c.rotated_at,
    sessions.c.expires_at,
    sessions.c.revoked_at,
)

_RECORDS = {
    name: Statement(select(*columns).where(columns[0].table.c.user_id == bindparam("user_id")))
    for name, columns in SHOWN.items()
}
_SESSIONS = Statement(
    select(*SHOWN_OF_SESSIONS)
    .where(sessions.c.user_id == bindparam("user_id"), sessions.c.id > bindparam("after"))
    .order_by(sessions.c.id)
    .limit(bindparam("limit"))
)


class PostgresExports:
    """The tables that hold something of a person."""

    async def records(self, unit: ReadUnit, user_id: UUID) -> Mapping[str, Sequence[Record]]:
        """What the small tables hold of the person, by their names."""
        return {
            name: [_shown(row, SHOWN[name]) for row in await unit.rows(statement, user_id=user_id)]
            for name, statement in _RECORDS.items()
        }

    async def sessions(self, unit: ReadUnit, user_id: UUID, *, after: UUID, limit: int) -> Sequence[Record]:
        """So many of the person's sessions, ended ones as well, behind the one with that id."""
        rows = await unit.rows(_SESSIONS, user_id=user_id, after=after, limit=limit)
        return [_shown(row, SHOWN_OF_SESSIONS) for row in rows]


def _shown(row: asyncpg.Record, columns: Sequence[Column[object]]) -> Record:
    """What the columns hold, and nothing that a unit has asked beside them."""
    return {str(column.name): row[column.name] for column in columns}
