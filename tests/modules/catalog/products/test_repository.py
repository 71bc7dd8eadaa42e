"""Products in real PostgreSQL."""

from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg
import pytest
from msgspec.structs import replace

from midrise.foundation.ids import new_id
from midrise.foundation.money import LARGEST_AMOUNT, Money
from midrise.foundation.paging import PageRequest
from midrise.modules.catalog.products.model import (
    Product,
    ProductFilter,
    ProductSort,
    ProductStatus,
    SkuTaken,
    SlugTaken,
    Stock,
    name_sort_of,
)
from midrise.modules.catalog.products.repository import PostgresProducts, _list

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 23, 4, 5, 6, 789, UTC)
products = PostgresProducts()
numbers = count()


def product(name="Mug", **facts):
    number = next(numbers)
    usual = Product(
        id=new_id(),
        sku=f"SKU-{number}",
        name=name,
        name_sort=name_sort_of(name),
        slug=f"slug-{number}",
        description="",
        status=ProductStatus.ACTIVE,
        price=Money(1999, "BDT"),
        attributes={},
        stock=Stock(),
        version=1,
        stock_version=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(usual, **facts)


async def add(database, *rows):
    async with database.write() as tx:
        return [await products.add(tx, each) for each in rows]


async def listed(database, wanted=None, *, sort=ProductSort.NEWEST, limit=100):
    async with database.read() as unit:
        page = PageRequest(limit)
        found = await products.list_products(unit, wanted or ProductFilter(), sort=sort, page=page)
    return [each.id for each in found.rows]


async def test_a_product_is_read_back_as_it_was_written(database):
    values = {"text": "নীল", "whole": -(2**53) + 1, "real": 1.5, "tiny": 5e-324, "yes": True, "no": False}
    written = product(
        "নীল কাপ 🫖",
        price=Money(LARGEST_AMOUNT, "USD"),
        attributes=values,
        stock=Stock(10, 2),
        description="a\nb",
    )
    assert await add(database, written) == [written]
    async with database.read() as unit:
        found = await products.find(unit, written.id)
        by_slug = await products.find_by_slug(unit, written.slug)
    assert found == by_slug == written
    assert {name: type(value) for name, value in found.attributes.items()} == {
        name: type(value) for name, value in values.items()
    }


async def test_there_is_no_product_under_an_unknown_id_or_slug(database):
    async with database.read() as unit:
        assert await products.find(unit, new_id()) is None
        assert await products.find_by_slug(unit, "unknown") is None


async def test_skus_are_compared_with_their_case(database):
    assert all(await add(database, product(sku="mug"), product(sku="MUG")))


async def test_a_taken_sku_is_refused(database):
    await add(database, product(sku="MUG"))
    with pytest.raises(SkuTaken):
        await add(database, product(sku="MUG"))


async def test_a_taken_slug_leaves_the_transaction_alive(database):
    assert await add(database, product(slug="mug")) != [None]
    refused, added = await add(database, product(slug="mug"), product(slug="mug-2"))
    assert refused is None
    assert added is not None


@pytest.mark.parametrize(("field", "error"), [("sku", SkuTaken), ("slug", SlugTaken)])
async def test_a_change_to_what_is_taken_is_refused(database, field, error):
    first, second = await add(database, product(), product())
    with pytest.raises(error):
        async with database.write() as tx:
            await products.change(tx, replace(second, **{field: getattr(first, field)}))


async def test_a_change_makes_the_next_version_and_leaves_the_stock(database):
    (written,) = await add(database, product(stock=Stock(10, 2), version=4, stock_version=9))
    changed = replace(written, name="Cup", name_sort="cup", stock=Stock(0, 0), updated_at=NOW + timedelta(1))
    async with database.write() as tx:
        stored = await products.change(tx, changed)
    assert stored == replace(changed, stock=Stock(10, 2), version=5)


async def test_a_removed_product_is_gone(database):
    (written,) = await add(database, product())
    async with database.write() as tx:
        await products.remove(tx, written.id)
        assert await products.lock(tx, written.id) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"price": Money(-1, "BDT")},
        {"price": Money(1, "bdt")},
        {"stock": Stock(-1, 0)},
        {"stock": Stock(1, -1)},
        {"stock": Stock(1, 2)},
        {"attributes": []},
    ],
)
async def test_the_database_refuses_what_can_not_be(database, wrong):
    with pytest.raises(asyncpg.CheckViolationError):
        await add(database, product(**wrong))


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (ProductFilter(status=ProductStatus.DRAFT), {"draft"}),
        (ProductFilter(price_min=200), {"dear"}),
        (ProductFilter(price_max=5), {"cheap"}),
        (ProductFilter(price_min=6, price_max=199), {"draft", "dollar", "stocked", "reserved"}),
        (ProductFilter(currency="USD"), {"dollar"}),
        (ProductFilter(in_stock=True), {"stocked"}),
        (ProductFilter(in_stock=False, price_min=6), {"draft", "dear", "dollar", "reserved"}),
        (ProductFilter(ProductStatus.ACTIVE, 100, 100, "BDT", in_stock=True), {"stocked"}),
    ],
)
async def test_each_filter_narrows_the_list(database, wanted, names):
    rows = [
        product("draft", status=ProductStatus.DRAFT, price=Money(100, "BDT")),
        product("cheap", price=Money(5, "BDT")),
        product("dear", price=Money(200, "BDT")),
        product("dollar", price=Money(100, "USD")),
        product("stocked", price=Money(100, "BDT"), stock=Stock(3, 2)),
        product("reserved", price=Money(100, "BDT"), stock=Stock(3, 3)),
    ]
    await add(database, *rows)
    assert set(await listed(database, wanted)) == {each.id for each in rows if each.name in names}


@pytest.mark.parametrize("sort", ProductSort)
async def test_equal_ones_follow_each_other_by_id_the_same_way_round(database, sort):
    rows = [product() for _ in range(5)]
    await add(database, *rows)
    ids = sorted((each.id for each in rows), reverse=sort.descending)
    assert await listed(database, sort=sort) == ids


async def test_names_are_sorted_without_their_case(database):
    rows = [product(name) for name in ("apple", "Banana", "cherry", "Ångström", "চা")]
    await add(database, *reversed(rows))
    by_name = sorted(rows, key=lambda each: each.name_sort.encode())
    assert await listed(database, sort=ProductSort.NAME) == [each.id for each in by_name]


@pytest.mark.parametrize("status", [None, ProductStatus.ACTIVE])
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("sort", ProductSort)
async def test_every_order_comes_from_an_index(database_url, sort, behind, status):
    statement = _list(frozenset({"status"} if status else ()), sort, in_stock=None, behind=behind)
    after_key, after_id = product().keys(sort)
    values = {"status": status, "after_key": after_key, "after_id": after_id, "limit": 21}
    connection = await asyncpg.connect(database_url)
    try:
        # An empty table costs nothing whichever way: what can be done with an index alone is done so now.
        await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        rows = await connection.fetch(f"EXPLAIN {statement.sql}", *statement.arguments(values))
    finally:
        await connection.close()
    plan = [row[0].strip() for row in rows]
    assert not any("Sort" in line for line in plan)
    assert any("Index Scan" in line for line in plan)
    # The page before is skipped by the index, not read and thrown away.
    assert not behind or any(line.startswith("Index Cond:") and "ROW(" in line for line in plan)
