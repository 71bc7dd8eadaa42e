"""Tokens that are mailed to people: only digests of them, each for one purpose, once, and for a time."""

import sqlalchemy as sa
from alembic import op

revision = "identity_0003"
down_revision = "identity_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "email_tokens",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text(collation="C"), nullable=False),
        sa.Column("digest", sa.LargeBinary),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_email_tokens"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_email_tokens_user_id", ondelete="CASCADE"),
        sa.UniqueConstraint("digest", name="uq_email_tokens_digest"),
        sa.CheckConstraint(
            "purpose IN ('verification', 'change', 'reset')", name=op.f("ck_email_tokens_purpose_known")
        ),
    )
    op.create_index("ix_email_tokens_user_id", "email_tokens", ["user_id", "purpose", "created_at"])
    op.create_index("ix_email_tokens_email_key", "email_tokens", ["email_key", "purpose", "created_at"])
    op.create_index("ix_email_tokens_expires_at", "email_tokens", ["expires_at"])
