"""Audit: who did what to what, when and from where."""

from pathlib import Path

from midrise.foundation.database import Database
from midrise.foundation.module import Built, House, Module, Permission
from midrise.modules.audit.events.controller import AuditController
from midrise.modules.audit.events.model import AuditEvent, AuditEventFilter, changes_between
from midrise.modules.audit.events.repository import PostgresAuditEvents
from midrise.modules.audit.events.service import AuditTrail

__all__ = ["MODULE", "AuditEvent", "AuditEventFilter", "AuditTrail", "audit_trail", "changes_between"]


def audit_trail(database: Database) -> AuditTrail:
    """The audit on a database, for a command that builds no house."""
    return AuditTrail(database, PostgresAuditEvents())


def build(house: House) -> Built:
    audit = audit_trail(house.database)
    house.services.provide(audit)
    return Built(controllers=[AuditController], services={"audit": audit})


MODULE = Module(
    name="audit",
    build=build,
    permissions=[Permission("audit:read", "Read the audit")],
    migrations=Path(__file__).parent / "migrations",
)
