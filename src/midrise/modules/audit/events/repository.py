"""Audit events in PostgreSQL: they are added and read, never changed."""

from dataclasses import asdict
from functools import cache

import asyncpg
from sqlalchemy import ColumnElement, bindparam, insert, select, tuple_

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
        after_created_at, after_id = page.after or (None, None)
        rows = await unit.rows(
            statement, **filters, after_created_at=after_created_at, after_id=after_id, limit=page.limit + 1
        )
        return page_of([_event(row) for row in rows], page, lambda event: (event.created_at, event.id))


@cache
def _list(filters: frozenset[str], *, behind: bool) -> Statement:
    conditions: dict[str, ColumnElement[bool]] = {
        "actor_id": audit_events.c.actor_id == bindparam("actor_id"),
        "action": audit_events.c.action == bindparam("action"),
        "resource": audit_events.c.resource == bindparam("resource"),
        "since": audit_events.c.created_at >= bindparam("since"),
        "until": audit_events.c.created_at < bindparam("until"),
    }
    order = (audit_events.c.created_at, audit_events.c.id)
    statement = select(audit_events).where(*(conditions[name] for name in sorted(filters)))
    if behind:
        after = tuple_(*(bindparam(f"after_{column.name}", type_=column.type) for column in order))
        statement = statement.where(tuple_(*order) < after)
    return Statement(statement.order_by(*(column.desc() for column in order)).limit(bindparam("limit")))


def _event(row: asyncpg.Record) -> AuditEvent:
    return AuditEvent(**fields_of(AuditEvent, row))
