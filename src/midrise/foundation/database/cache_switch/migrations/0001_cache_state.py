"""The row that says whether the cache may be used, and under which epoch."""

import sqlalchemy as sa
from alembic import op

revision = "cache_state_0001"
down_revision = None
branch_labels = ("cache_state",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cache_state",
        sa.Column("id", sa.SmallInteger, autoincrement=False, nullable=False),
        sa.Column("epoch", sa.Text(collation="C"), nullable=False),
        sa.Column("server", sa.Text(collation="C"), nullable=False),
        sa.Column("off_until", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_cache_state"),
        sa.CheckConstraint("id = 1", name=op.f("ck_cache_state_one_row")),
    )
    # Off, and free to be turned on by the first server that finds a cache.
    op.execute("INSERT INTO cache_state (id, epoch, server, off_until) VALUES (1, '0', '', now())")
