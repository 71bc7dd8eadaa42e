"""A run stores everything or nothing, on real PostgreSQL."""

import pytest

from midrise.foundation.actor import SYSTEM
from midrise.foundation.database import Database, PoolSettings
from midrise.foundation.money import Money
from midrise.foundation.paging import PageRequest
from midrise.modules.audit import AuditTrail
from midrise.modules.audit.events.model import AuditEventFilter
from midrise.modules.audit.events.repository import PostgresAuditEvents
from midrise.modules.catalog.demo import demo_products
from midrise.modules.catalog.products.model import NewProduct, ProductFilter, ProductSort
from midrise.modules.catalog.products.repository import PostgresProducts
from midrise.modules.catalog.seeding import service
from midrise.modules.catalog.seeding.model import ProductTaken, Seeded, SeedProduct, SeedRefused
from midrise.modules.catalog.seeding.repository import PostgresProductLoading
from midrise.modules.catalog.seeding.service import CatalogueSeeding

pytestmark = pytest.mark.anyio


def seed_product(line, *, sku, name="Mug", slug=None, stock_on_hand=0):
    return SeedProduct(line, NewProduct(sku, name, Money(1999, "BDT"), slug), stock_on_hand)


def seeding_on(database):
    audit = AuditTrail(database, PostgresAuditEvents())
    return CatalogueSeeding(database, PostgresProductLoading(), audit=audit)


@pytest.fixture
def run(database):
    """Starts a run with the products."""

    async def run(products, **options):
        return await seeding_on(database).seed(products, actor=SYSTEM, source="a test", **options)

    return run


@pytest.fixture
def stored(database):
    """What is stored, the oldest first."""

    async def stored():
        async with database.read() as unit:
            page = await PostgresProducts().list_products(
                unit, ProductFilter(), sort=ProductSort.OLDEST, page=PageRequest(100)
            )
        return page.rows

    return stored


@pytest.fixture
def audited(database):
    """What the audit has."""

    async def audited():
        trail = AuditTrail(database, PostgresAuditEvents())
        return (await trail.list_events(AuditEventFilter(), PageRequest())).rows

    return audited


async def test_what_is_stored_is_what_was_given(run, stored):
    seeds = list(demo_products(50, random_seed=1))

    assert await run(seeds) == Seeded(created=50, skipped=0)

    products = await stored()
    assert [product.sku for product in products] == [seed.product.sku for seed in seeds]
    for product, seed in zip(products, seeds, strict=True):
        given = seed.product
        assert (product.name, product.slug, product.description) == (given.name, given.slug, given.description)
        assert (product.price, product.status) == (given.price, given.status)
        assert product.attributes == given.attributes
        assert (product.stock.on_hand, product.stock.reserved) == (seed.stock_on_hand, 0)
        assert product.tag == "1.1"


async def test_slugs_made_from_the_same_name_give_way_to_each_other(run, stored):
    await run([seed_product(1, sku="A"), seed_product(2, sku="B"), seed_product(3, sku="C")])

    slugs = [product.slug for product in await stored()]
    assert slugs[0] == "mug"
    assert all(slug.startswith("mug-") for slug in slugs[1:])
    assert len(set(slugs)) == 3


@pytest.mark.parametrize("taken", [{"sku": "A"}, {"sku": "B", "slug": "cup"}], ids=["sku", "slug"])
async def test_what_is_taken_refuses_the_run_and_leaves_nothing(run, stored, audited, taken):
    await run([seed_product(1, sku="A", name="Cup")])

    with pytest.raises(ProductTaken, match=r"^Line 2: the sku . .*is taken already\.$"):
        await run([seed_product(1, sku="C"), seed_product(2, **taken), seed_product(3, sku="D")])

    assert [product.sku for product in await stored()] == ["A"]
    assert len(await audited()) == 1


async def test_of_two_lines_with_one_sku_the_second_is_named(run, stored):
    with pytest.raises(ProductTaken, match=r"^Line 2: the sku A"):
        await run([seed_product(1, sku="A"), seed_product(2, sku="A", name="Cup")])

    assert await stored() == []


async def test_what_is_taken_can_be_passed_over(run, stored):
    await run([seed_product(1, sku="A")])

    again = [seed_product(1, sku="A", name="Cup"), seed_product(2, sku="B"), seed_product(3, sku="B")]

    assert await run(again, skip_existing=True) == Seeded(created=1, skipped=2)
    assert [(product.sku, product.name) for product in await stored()] == [("A", "Mug"), ("B", "Mug")]


async def test_a_source_that_breaks_off_leaves_nothing(run, stored, monkeypatch):
    monkeypatch.setattr(service, "PRODUCTS_AT_ONCE", 1)

    def breaking():
        yield seed_product(1, sku="A")
        raise SeedRefused("Line 2: it is not valid JSON.")

    with pytest.raises(SeedRefused):
        await run(breaking())

    assert await stored() == []


async def test_progress_is_told_lot_by_lot(run, monkeypatch):
    monkeypatch.setattr(service, "PRODUCTS_AT_ONCE", 2)
    lots = []

    await run(demo_products(5, random_seed=1), on_progress=lots.append)

    assert lots == [2, 2, 1]


async def test_a_line_may_be_taken_by_one_of_an_earlier_lot(run, monkeypatch):
    monkeypatch.setattr(service, "PRODUCTS_AT_ONCE", 1)

    with pytest.raises(ProductTaken, match=r"^Line 2: "):
        await run([seed_product(1, sku="A"), seed_product(2, sku="A", name="Cup")])


async def test_a_run_leaves_one_entry_in_the_audit(run, audited):
    await run(demo_products(3, random_seed=1))

    (entry,) = await audited()
    assert (entry.action, entry.resource) == ("catalogue:seeded", "catalogue:products")
    assert entry.changes == {"source": "a test", "created": 3, "skipped": 0}


async def test_an_empty_source_stores_nothing(run):
    assert await run([]) == Seeded(created=0, skipped=0)


async def test_a_database_without_tables_is_refused_with_what_to_do(database_url):
    database = Database.on_one_server(PoolSettings(f"{database_url}&search_path=nowhere", "midrise test"))

    with pytest.raises(SeedRefused, match="midrise migrate"):
        await seeding_on(database).seed([], actor=SYSTEM, source="a test")

    await database.close()
