"""The values of the configuration."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "config_0001"
down_revision = None
branch_labels = ("config",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "config_values",
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("value", JSONB),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("key", name="pk_config_values"),
    )
