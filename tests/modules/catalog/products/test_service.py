"""Rules of products that hold whoever calls."""

import pytest

from midrise.foundation.actor import Actor
from midrise.foundation.errors import Invalid, NotFound
from midrise.foundation.ids import new_id
from midrise.foundation.money import Money
from midrise.foundation.paging import PageRequest
from midrise.foundation.versions import Expected
from midrise.modules.audit import AuditTrail
from midrise.modules.audit.events.model import AuditEventFilter
from midrise.modules.audit.events.repository import PostgresAuditEvents
from midrise.modules.catalog.products.model import (
    PRODUCTS_WRITE,
    NewProduct,
    ProductChanges,
    ProductFilter,
    ProductSort,
    ProductStatus,
    SkuTaken,
    SlugTaken,
)
from midrise.modules.catalog.products.repository import PostgresProducts
from midrise.modules.catalog.products.service import Products

pytestmark = pytest.mark.anyio

VISITOR = Actor(address="203.0.113.7")
EDITOR = Actor("203.0.113.7", "request-1", user_id=new_id(), permissions=frozenset({PRODUCTS_WRITE}))
MUG = NewProduct(sku="MUG", name="Mug", price=Money(1999, "BDT"), attributes={"colour": "blue"})


class NoDatabase:
    """Fails whoever opens a unit of work."""

    def read(self):
        raise AssertionError

    write = read


@pytest.fixture
def audit(database):
    return AuditTrail(database, PostgresAuditEvents())


@pytest.fixture
def products(database, audit):
    return Products(database, PostgresProducts(), audit)


async def entries(audit, **wanted):
    page = await audit.list_events(AuditEventFilter(**wanted), PageRequest(100))
    return [(event.action, event.changes) for event in reversed(page.rows)]


async def test_a_broken_rule_is_found_without_the_database():
    products = Products(NoDatabase(), PostgresProducts(), audit=None)
    with pytest.raises(Invalid):
        await products.create(EDITOR, NewProduct("MUG", "Mug", Money(1, "ZZZ")))
    changes = ProductChanges(price_currency="ZZZ")
    with pytest.raises(Invalid):
        await products.change(EDITOR, new_id(), changes=changes, expected=Expected())


async def test_what_most_may_not_see_is_not_looked_for():
    products = Products(NoDatabase(), PostgresProducts(), audit=None)
    wanted = ProductFilter(status=ProductStatus.DRAFT)
    page = await products.list_products(VISITOR, wanted, sort=ProductSort.NAME, page=PageRequest())
    assert page.rows == []


async def test_each_change_has_its_entry(products, audit):
    product = await products.create(EDITOR, MUG)
    changes = ProductChanges(name="Cup", price_amount=5, attributes={"colour": None})
    await products.change(EDITOR, product.id, changes=changes, expected=Expected())
    await products.delete(EDITOR, product.id, expected=Expected())
    facts = {
        "sku": "MUG",
        "name": "Mug",
        "slug": "mug",
        "description": "",
        "status": "draft",
        "price": {"amount": 1999, "currency": "BDT"},
        "attributes.colour": "blue",
    }
    price = {"from": facts["price"], "to": {"amount": 5, "currency": "BDT"}}
    changed = {"name": {"from": "Mug", "to": "Cup"}, "attributes.colour": {"from": "blue", "to": None}}
    last = {**facts, "name": "Cup", "price": price["to"]}
    del last["attributes.colour"]
    assert await entries(audit, resource=product.resource, actor_id=EDITOR.user_id) == [
        ("product:created", facts),
        ("product:price:changed", {"price": price}),
        ("product:changed", changed),
        ("product:deleted", last),
    ]


async def test_what_changes_nothing_has_no_entry(products, audit):
    product = await products.create(EDITOR, MUG)
    same = ProductChanges(name="Mug", attributes={"colour": "blue"})
    assert await products.change(EDITOR, product.id, changes=same, expected=Expected()) == product
    assert [action for action, _ in await entries(audit)] == ["product:created"]


async def test_what_is_refused_has_no_entry(products, audit):
    await products.create(EDITOR, MUG)
    with pytest.raises(SkuTaken):
        await products.create(EDITOR, MUG)
    assert [action for action, _ in await entries(audit)] == ["product:created"]


async def test_a_draft_exists_for_editors_alone(products):
    product = await products.create(EDITOR, MUG)
    assert await products.get_product(EDITOR, product.id) == product
    with pytest.raises(NotFound):
        await products.get_product(VISITOR, product.id)
    with pytest.raises(NotFound):
        await products.get_product_by_slug(VISITOR, product.slug)


async def test_a_made_slug_that_is_taken_gets_a_suffix(products):
    first = await products.create(EDITOR, MUG)
    second = await products.create(EDITOR, NewProduct("MUG-2", "Mug", Money(1, "BDT")))
    assert (first.slug, second.slug) == ("mug", f"mug-{second.id.hex[-4:]}")


async def test_a_slug_that_was_asked_for_is_not_replaced(products):
    await products.create(EDITOR, MUG)
    with pytest.raises(SlugTaken):
        await products.create(EDITOR, NewProduct("MUG-2", "Cup", Money(1, "BDT"), slug="mug"))
