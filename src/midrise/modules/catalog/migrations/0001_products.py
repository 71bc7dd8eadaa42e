"""The products."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "catalog_0001"
down_revision = None
branch_labels = ("catalog",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("sku", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("name_sort", sa.Text(collation="C"), nullable=False),
        sa.Column("slug", sa.Text(collation="C"), nullable=False),
        sa.Column("description", sa.Text, nullable=False, server_default=""),
        sa.Column("status", sa.Text(collation="C"), nullable=False),
        sa.Column("price_amount", sa.BigInteger, nullable=False),
        sa.Column("price_currency", sa.Text(collation="C"), nullable=False),
        sa.Column("attributes", JSONB, nullable=False, server_default=sa.text("'{}'")),
        sa.Column("stock_on_hand", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("stock_reserved", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("version", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("stock_version", sa.BigInteger, nullable=False, server_default="1"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
        sa.UniqueConstraint("sku", name="uq_products_sku"),
        sa.UniqueConstraint("slug", name="uq_products_slug"),
        sa.CheckConstraint("status IN ('draft', 'active', 'archived')", name=op.f("ck_products_status")),
        sa.CheckConstraint("price_amount >= 0", name=op.f("ck_products_price_amount")),
        sa.CheckConstraint("price_currency ~ '^[A-Z]{3}$'", name=op.f("ck_products_price_currency")),
        sa.CheckConstraint("jsonb_typeof(attributes) = 'object'", name=op.f("ck_products_attributes")),
        sa.CheckConstraint("stock_on_hand >= 0", name=op.f("ck_products_stock_on_hand")),
        sa.CheckConstraint(
            "stock_reserved BETWEEN 0 AND stock_on_hand", name=op.f("ck_products_stock_reserved")
        ),
        postgresql_with={"fillfactor": 85},
    )
    op.create_index("ix_products_created_at", "products", ["created_at", "id"])
    op.create_index("ix_products_name", "products", ["name_sort", "id"])
    op.create_index("ix_products_price", "products", ["price_amount", "id"])
    op.create_index("ix_products_status_created_at", "products", ["status", "created_at", "id"])
    op.create_index("ix_products_status_name", "products", ["status", "name_sort", "id"])
    op.create_index("ix_products_status_price", "products", ["status", "price_amount", "id"])
