"""The catalogue's tables.

``name_sort`` is what `products.model.name_sort_of` makes of the name, ``slug`` what a client gave or
`slugs.slug_of` made: whoever writes rows here makes them with these. ``version`` counts the changes of
the product itself, ``stock_version`` those of its stock; together they are its entity tag.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from midrise.foundation.database import metadata

products = Table(
    "products",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("sku", Text(collation="C"), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_sort", Text(collation="C"), nullable=False),
    Column("slug", Text(collation="C"), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("status", Text(collation="C"), nullable=False),
    Column("price_amount", BigInteger, nullable=False),
    Column("price_currency", Text(collation="C"), nullable=False),
    Column("attributes", JSONB, nullable=False, server_default=text("'{}'")),
    Column("stock_on_hand", BigInteger, nullable=False, server_default="0"),
    Column("stock_reserved", BigInteger, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("stock_version", BigInteger, nullable=False, server_default="1"),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("sku"),
    UniqueConstraint("slug"),
    CheckConstraint("status IN ('draft', 'active', 'archived')", name="status"),
    CheckConstraint("price_amount >= 0", name="price_amount"),
    CheckConstraint("price_currency ~ '^[A-Z]{3}$'", name="price_currency"),
    CheckConstraint("jsonb_typeof(attributes) = 'object'", name="attributes"),
    CheckConstraint("stock_on_hand >= 0", name="stock_on_hand"),
    CheckConstraint("stock_reserved BETWEEN 0 AND stock_on_hand", name="stock_reserved"),
    # Each order of the list with and without a status in front: visitors ask for active ones alone, editors
    # for any. Not partial: a status that is bound as a parameter can't choose a partial index.
    Index("ix_products_created_at", "created_at", "id"),
    Index("ix_products_name", "name_sort", "id"),
    Index("ix_products_price", "price_amount", "id"),
    Index("ix_products_status_created_at", "status", "created_at", "id"),
    Index("ix_products_status_name", "status", "name_sort", "id"),
    Index("ix_products_status_price", "status", "price_amount", "id"),
    # No index holds the stock, and pages keep room: a sale rewrites its row in place (a HOT update) and touches
    # none of the nine indexes.
    postgresql_with={"fillfactor": 85},
)
