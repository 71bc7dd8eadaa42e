"""Audit: who did what to what, when and from where."""

from pathlib import Path

from midrise.foundation.module import Built, House, Module, Permission
from midrise.modules.audit.events.controller import AuditController
from midrise.modules.audit.events.model import changes_between
from midrise.modules.audit.events.repository import PostgresAuditEvents
from midrise.modules.audit.events.service import AuditTrail

__all__ = ["MODULE", "AuditTrail", "changes_between"]


def build(house: House) -> Built:
    audit = AuditTrail(house.database, PostgresAuditEvents())
    house.services.provide(audit)
    return Built(controllers=[AuditController], services={"audit": audit})


MODULE = Module(
    name="audit",
    build=build,
    permissions=[Permission("audit:read", "Read the audit")],
    migrations=Path(__file__).parent / "migrations",
)
