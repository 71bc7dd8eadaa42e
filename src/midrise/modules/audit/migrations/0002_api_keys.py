"""Whether a person acted, or a program of theirs, and by which API key."""

import sqlalchemy as sa
from alembic import op

revision = "audit_0002"
down_revision = "audit_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_events", sa.Column("api_key_id", sa.Uuid))
