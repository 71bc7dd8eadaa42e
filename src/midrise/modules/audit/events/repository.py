"""Audit events in PostgreSQL: they are added and read, and never changed but to erase a person."""

from collections.abc import Iterable
from functools import cache
from uuid import UUID

import asyncpg
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    bindparam,
    cast,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from midrise.foundation.database import LateInsert, ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import fields_of, values_of
from midrise.foundation.paging import Page, PageRequest, page_of
from midrise.modules.audit.events.model import PERSONAL_FIELDS, AuditEvent, AuditEventFilter
from midrise.modules.audit.tables import audit_events

_INSERT = LateInsert.of_row(audit_events)
_ERASE_ADDRESSES = Statement(
    update(audit_events)
    .where(audit_events.c.actor_id == bindparam("user_id"), audit_events.c.address != literal(""))
    .values(address="")
)


def _without_values(changes: ColumnElement[object], names: Iterable[str]) -> ColumnElement[object]:
    """The changes with null in place of what was under these names; that it changed is still told."""
    for name in names:
        path = cast([name], ARRAY(Text))
        changes = func.jsonb_set(changes, path, cast(literal("null", Text), JSONB), literal(False))  # noqa: FBT003
    return changes


_ERASE_VALUES = Statement(
    update(audit_events)
    .where(audit_events.c.resource == bindparam("of_resource"))
    .values(changes=_without_values(audit_events.c.changes, PERSONAL_FIELDS))
)


class PostgresAuditEvents:
    """The table of audit events."""

    def add(self, tx: WriteUnit, event: AuditEvent) -> None:
        """Have the event written before the commit: what it tells of has been refused by then, or is there."""
        tx.later(_INSERT, **values_of(event))

    async def erase_person(self, tx: WriteUnit, user_id: UUID, *, resource: str) -> None:
        """Forget the person's addresses, and the values of what was personal in entries on the resource."""
        await tx.insert_waiting()
        await tx.execute(_ERASE_ADDRESSES, user_id=user_id)
        await tx.execute(_ERASE_VALUES, of_resource=resource)

    async def list_events(
        self, unit: ReadUnit, wanted: AuditEventFilter, page: PageRequest
    ) -> Page[AuditEvent]:
        """Newest first."""
        filters = {name: value for name, value in values_of(wanted).items() if value is not None}
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
