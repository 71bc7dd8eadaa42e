"""Audit events in PostgreSQL: they are added and read, never changed."""

from dataclasses import asdict
from functools import cache

import asyncpg
from sqlalchemy import ColumnElement, bindparam, insert, select

from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import fields_of
from midrise.foundation.paging import Page, PageRequest, page_of
from midrise.modules.audit.events.model import AuditEvent, AuditEventFilter
from midrise.modules.audit.tables import audit_events

_INSERT = Statement(
    insert(audit_events).values({column: bindparam(column.name) for column in audit_events.columns})
)


class PostgresAuditEvents:
    """The table of audit events."""

    async def add(self, tx: WriteUnit, event: AuditEvent) -> None:
        await tx.execute(_INSERT, **asdict(event))

    async def list_events(
        self, unit: ReadUnit, wanted: AuditEventFilter, page: PageRequest
    ) -> Page[AuditEvent]:
        """Newest first."""
        filters = {name: value for name, value in asdict(wanted).items() if value is not None}
        statement = _list(frozenset(filters), behind=page.after is not None)
        values = {**filters, "after_id": page.after[0] if page.after else None, "limit": page.limit + 1}
        rows = [_event(row) for row in await unit.rows(statement, **values)]
        return page_of(rows, page, lambda event: (event.id,))


@cache
def _list(filters: frozenset[str], *, behind: bool) -> Statement:
    conditions: dict[str, ColumnElement[bool]] = {
        "actor_id": audit_events.c.actor_id == bindparam("actor_id"),
        "action": audit_events.c.action == bindparam("action"),
        "resource": audit_events.c.resource == bindparam("resource"),
        "since": audit_events.c.created_at >= bindparam("since"),
        "until": audit_events.c.created_at < bindparam("until"),
    }
    statement = select(audit_events).where(*(conditions[name] for name in sorted(filters)))
    if behind:
        statement = statement.where(audit_events.c.id < bindparam("after_id"))
    return Statement(statement.order_by(audit_events.c.id.desc()).limit(bindparam("limit")))


def _event(row: asyncpg.Record) -> AuditEvent:
    return AuditEvent(**fields_of(AuditEvent, row))
