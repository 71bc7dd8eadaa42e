"""The audit's one table. It refers to users by id and to no row of theirs: it outlives them."""

from sqlalchemy import Column, DateTime, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from midrise.foundation.database import metadata

audit_events = Table(
    "audit_events",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("actor_id", Uuid),
    # Where a program of the actor's did it.
    Column("api_key_id", Uuid),
    Column("action", Text(collation="C"), nullable=False),
    Column("resource", Text(collation="C"), nullable=False),
    Column("address", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("changes", JSONB, nullable=False),
    # Each filter in the order of the list, which a time bounds as well.
    Index("ix_audit_events_created_at", "created_at", "id"),
    Index("ix_audit_events_actor_id", "actor_id", "created_at", "id"),
    Index("ix_audit_events_action", "action", "created_at", "id"),
    Index("ix_audit_events_resource", "resource", "created_at", "id"),
)
