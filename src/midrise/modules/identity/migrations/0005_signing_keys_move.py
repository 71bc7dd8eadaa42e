"""Since when a signing key is in its state, and at most one that is published and signs next."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0005"
down_revision = "identity_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signing_keys", sa.Column("moved_at", sa.DateTime(timezone=True)))
    op.execute("UPDATE signing_keys SET moved_at = created_at")
    op.alter_column("signing_keys", "moved_at", nullable=False)
    op.create_index(
        "uq_signing_keys_next",
        "signing_keys",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'next'"),
    )
