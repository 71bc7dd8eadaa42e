"""Products in PostgreSQL."""

from functools import cache
from operator import itemgetter
from uuid import UUID

import asyncpg
from sqlalchemy import Column, ColumnElement, bindparam, delete, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from midrise.foundation.database import ReadUnit, Statement, WriteUnit
from midrise.foundation.database.rows import values_of
from midrise.foundation.money import Money
from midrise.foundation.paging import Page, PageRequest, page_of
from midrise.modules.catalog.products.model import (
    Product,
    ProductFilter,
    ProductSort,
    ProductStatus,
    Stock,
)
from midrise.modules.catalog.tables import products

_COLUMNS = products.c
_SORT_COLUMNS: dict[str, Column[object]] = {
    "name": _COLUMNS.name_sort,
    "price": _COLUMNS.price_amount,
    "created_at": _COLUMNS.created_at,
}
_CHANGEABLE = (
    *("sku", "name", "name_sort", "slug", "description", "status"),
    *("price_amount", "price_currency", "attributes", "updated_at"),
)
_FACTS = itemgetter(
    *("id", "sku", "name", "name_sort", "slug", "description", "status", "price_amount", "price_currency"),
    *("attributes", "stock_on_hand", "stock_reserved", "version", "stock_version", "created_at", "updated_at"),
)
"""All at once: asked for one by one, the columns of a list cost more than what is made of them."""
_STATUSES = {status.value: status for status in ProductStatus}

_BY_ID = select(products).where(_COLUMNS.id == bindparam("product_id"))
_FIND = Statement(_BY_ID)
_LOCK = Statement(_BY_ID.with_for_update())
_FIND_BY_SLUG = Statement(select(products).where(_COLUMNS.slug == bindparam("wanted_slug")))
_INSERT = Statement(
    insert(products)
    .values({column: bindparam(column.name) for column in products.columns})
    .on_conflict_do_nothing(index_elements=[_COLUMNS.slug])
    .returning(products)
)
_UPDATE = Statement(
    update(products)
    .where(_COLUMNS.id == bindparam("product_id"))
    .values({name: bindparam(name) for name in _CHANGEABLE} | {"version": _COLUMNS.version + 1})
    .returning(products)
)
_DELETE = Statement(delete(products).where(_COLUMNS.id == bindparam("product_id")))


class PostgresProducts:
    """The table of products."""

    async def find(self, unit: ReadUnit, product_id: UUID) -> Product | None:
        row = await unit.row(_FIND, product_id=product_id)
        return _product(row) if row else None

    async def find_by_slug(self, unit: ReadUnit, slug: str) -> Product | None:
        row = await unit.row(_FIND_BY_SLUG, wanted_slug=slug)
        return _product(row) if row else None

    async def lock(self, tx: WriteUnit, product_id: UUID) -> Product | None:
        """The product, which nobody else changes until the transaction ends."""
        row = await tx.row(_LOCK, product_id=product_id)
        return _product(row) if row else None

    async def list_products(
        self, unit: ReadUnit, wanted: ProductFilter, *, sort: ProductSort, page: PageRequest
    ) -> Page[Product]:
        """In the order of ``sort``, then by id."""
        filters = {name: value for name, value in values_of(wanted).items() if value is not None}
        statement = _list(frozenset(filters), sort, in_stock=wanted.in_stock, behind=page.after is not None)
        after_key, after_id = page.after or (None, None)
        rows = await unit.rows(
            statement, **filters, after_key=after_key, after_id=after_id, limit=page.limit + 1
        )
        return page_of([_product(row) for row in rows], page, lambda product: product.keys(sort))

    async def add(self, tx: WriteUnit, product: Product) -> Product | None:
        """The product as it is stored, or None where its slug is taken. Raises `SkuTaken`."""
        row = await tx.row(_INSERT, **_values(product))
        return _product(row) if row else None

    async def change(self, tx: WriteUnit, product: Product) -> Product:
        """Write what can be changed of a locked product, as its next version.

        Raises `SkuTaken` and `SlugTaken`.
        """
        (row,) = await tx.rows(_UPDATE, product_id=product.id, **_values(product))
        return _product(row)

    async def remove(self, tx: WriteUnit, product_id: UUID) -> None:
        await tx.execute(_DELETE, product_id=product_id)


@cache
def _list(filters: frozenset[str], sort: ProductSort, *, in_stock: bool | None, behind: bool) -> Statement:
    column = _SORT_COLUMNS[sort.field]
    order = (column, _COLUMNS.id)
    statement = select(products).where(*_conditions(filters, in_stock=in_stock))
    if behind:
        after = tuple_(bindparam("after_key", type_=column.type), bindparam("after_id", type_=_COLUMNS.id.type))
        statement = statement.where(tuple_(*order) < after if sort.descending else tuple_(*order) > after)
    directed = [each.desc() if sort.descending else each.asc() for each in order]
    return Statement(statement.order_by(*directed).limit(bindparam("limit")))


def _conditions(filters: frozenset[str], *, in_stock: bool | None) -> list[ColumnElement[bool]]:
    available = _COLUMNS.stock_on_hand > _COLUMNS.stock_reserved
    conditions = {
        "status": _COLUMNS.status == bindparam("status"),
        "price_min": _COLUMNS.price_amount >= bindparam("price_min"),
        "price_max": _COLUMNS.price_amount <= bindparam("price_max"),
        "currency": _COLUMNS.price_currency == bindparam("currency"),
        "in_stock": available if in_stock else ~available,
    }
    return [conditions[name] for name in sorted(filters)]


def _values(product: Product) -> dict[str, object]:
    return {
        "id": product.id,
        "sku": product.sku,
        "name": product.name,
        "name_sort": product.name_sort,
        "slug": product.slug,
        "description": product.description,
        "status": product.status.value,
        "price_amount": product.price.amount,
        "price_currency": product.price.currency,
        "attributes": product.attributes,
        "stock_on_hand": product.stock.on_hand,
        "stock_reserved": product.stock.reserved,
        "version": product.version,
        "stock_version": product.stock_version,
        "created_at": product.created_at,
        "updated_at": product.updated_at,
    }


def _product(row: asyncpg.Record) -> Product:
    product_id, sku, name, name_sort, slug, description, status, *more = _FACTS(row)
    amount, currency, attributes, on_hand, reserved, version, stock_version, created_at, updated_at = more
    return Product(
        id=product_id,
        sku=sku,
        name=name,
        name_sort=name_sort,
        slug=slug,
        description=description,
        status=_STATUSES[status],
        price=Money(amount, currency),
        attributes=attributes,
        stock=Stock(on_hand, reserved),
        version=version,
        stock_version=stock_version,
        created_at=created_at,
        updated_at=updated_at,
    )
