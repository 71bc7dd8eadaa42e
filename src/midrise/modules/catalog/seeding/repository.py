"""Loading products into PostgreSQL: COPY into a table of the transaction's own, and from there what is free.

COPY alone ends at the first row that is taken and says no more than its key; from the table beside, every row
that was left out can be told.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, MetaData, Table, exists, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import CreateTable

from midrise.foundation.database import Statement, WriteUnit
from midrise.modules.catalog.products.model import name_sort_of
from midrise.modules.catalog.seeding.model import Candidate, SeedRefused
from midrise.modules.catalog.tables import products

_COLUMNS = (
    *("id", "sku", "name", "name_sort", "slug", "description", "status", "price_amount", "price_currency"),
    *("attributes", "stock_on_hand", "created_at", "updated_at"),
)
_ROW_NUMBER = "row_number"

_staged = Table(
    "staged_products",
    MetaData(),
    *(Column(name, products.c[name].type, nullable=False) for name in _COLUMNS),
    Column(_ROW_NUMBER, BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
_in_order = select(*(_staged.c[name] for name in _COLUMNS)).order_by(_staged.c[_ROW_NUMBER])

_IS_MIGRATED = Statement(select(func.to_regclass(literal(products.name)).is_not(None)))
_CREATE = Statement(CreateTable(_staged))
_EMPTY = Statement(text("TRUNCATE staged_products"))
_STORE = Statement(insert(products).from_select(_COLUMNS, _in_order).on_conflict_do_nothing())
_LEFT_OUT = Statement(select(_staged.c.id).where(~exists().where(products.c.id == _staged.c.id)))
_ANALYZE = Statement(text("ANALYZE products"))


class PostgresProductLoading:
    """Stores many products in one transaction."""

    async def begin(self, tx: WriteUnit) -> None:
        """Make the table beside; it goes with the transaction.

        Raises `SeedRefused` in a database without tables.
        """
        if not await tx.value(_IS_MIGRATED):
            raise SeedRefused("The database has no tables yet: run `midrise migrate`, or start `midrise up`.")
        await tx.execute(_CREATE)

    async def store(
        self, tx: WriteUnit, candidates: Sequence[Candidate], *, created_at: datetime
    ) -> frozenset[UUID]:
        """Store those whose sku and slug are free; the ids of the others. Of two alike the first is stored."""
        records = [(*_values(each, created_at), number) for number, each in enumerate(candidates)]
        await tx.execute(_EMPTY)
        await tx.copy(_staged.name, columns=(*_COLUMNS, _ROW_NUMBER), records=records)
        if await tx.execute(_STORE) == len(records):
            return frozenset()
        return frozenset(row["id"] for row in await tx.rows(_LEFT_OUT))

    async def end(self, tx: WriteUnit) -> None:
        """Have the planner learn now what is in the table, not when autovacuum comes by."""
        await tx.execute(_ANALYZE)


def _values(candidate: Candidate, created_at: datetime) -> tuple[object, ...]:
    """The values of ``_COLUMNS``; the others have their defaults."""
    product = candidate.seed.product
    return (
        candidate.id,
        product.sku,
        product.name,
        name_sort_of(product.name),
        candidate.slug,
        product.description,
        product.status.value,
        product.price.amount,
        product.price.currency,
        product.attributes,
        candidate.seed.stock_on_hand,
        created_at,
        created_at,
    )
