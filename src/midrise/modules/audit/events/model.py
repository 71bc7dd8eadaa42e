"""An entry of the audit, and what a list of them can be narrowed by."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

Changes = Mapping[str, object]
"""What changed: each field with its new value, or ``{"from": …, "to": …}``. Never a secret."""

PERSONAL_FIELDS = ("email", "name")
"""The fields whose values are erased from the entries on a person who is deleted. Whoever writes another
personal field into the audit adds its name here."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that was done.

    ``api_key_id`` is there where a program of the actor's did it.

    ``resource`` is ``kind:id``, ``action`` is ``kind:verb`` or ``kind:part:verb``.
    """

    id: UUID
    created_at: datetime
    actor_id: UUID | None
    action: str
    resource: str
    address: str
    request_id: str
    changes: Changes
    api_key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class AuditEventFilter:
    """What to list; None lists whatever there is. ``since`` is inclusive, ``until`` exclusive."""

    actor_id: UUID | None = None
    action: str | None = None
    resource: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def changes_between(before: Mapping[str, object], after: Mapping[str, object]) -> Changes:
    """The fields of ``after`` that differ from ``before``, each with both values."""
    return {
        name: {"from": before.get(name), "to": value}
        for name, value in after.items()
        if before.get(name) != value
    }
