"""Products: who sees them, and how they come, change and go."""

from dataclasses import replace
from uuid import UUID

from msgspec import structs

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import NotFound
from midrise.foundation.ids import new_id
from midrise.foundation.paging import Page, PageRequest
from midrise.foundation.versions import Expected
from midrise.modules.audit import AuditTrail
from midrise.modules.catalog.products.model import (
    PRODUCTS_GENERATION,
    PRODUCTS_WRITE,
    NewProduct,
    Product,
    ProductAction,
    ProductChanges,
    ProductFilter,
    ProductSort,
    ProductStatus,
    SlugTaken,
    Stock,
    facts_changed,
    name_sort_of,
    product_generation,
)
from midrise.modules.catalog.products.repository import PostgresProducts
from midrise.modules.catalog.slugs import slug_candidates


class Products:
    """What is for sale."""

    def __init__(self, database: Database, products: PostgresProducts, audit: AuditTrail) -> None:
        self._database = database
        self._products = products
        self._audit = audit

    async def get_product(self, actor: Actor, product_id: UUID) -> Product:
        """Raises `NotFound`, also for one that the caller may not see."""
        async with self._database.read(may_lag=True) as unit:
            return _seen(actor, await self._products.find(unit, product_id))

    async def get_product_by_slug(self, actor: Actor, slug: str) -> Product:
        """Raises `NotFound`, also for one that the caller may not see."""
        async with self._database.read(may_lag=True) as unit:
            return _seen(actor, await self._products.find_by_slug(unit, slug))

    async def list_products(
        self, actor: Actor, wanted: ProductFilter, *, sort: ProductSort, page: PageRequest
    ) -> Page[Product]:
        """Products that the caller may see; those of another status than active are not there for most.

        Raises `InvalidParameters`.
        """
        wanted.check()
        if not actor.may(PRODUCTS_WRITE):
            if wanted.status not in {None, ProductStatus.ACTIVE}:
                return Page([])
            wanted = replace(wanted, status=ProductStatus.ACTIVE)
        async with self._database.read(may_lag=True) as unit:
            return await self._products.list_products(unit, wanted, sort=sort, page=page)

    async def create(self, actor: Actor, new: NewProduct) -> Product:
        """Raises `Invalid`, `SkuTaken`, and `SlugTaken` for a slug that was asked for."""
        new.check()

        async def create(tx: WriteUnit) -> Product:
            product = await self._add(tx, new)
            tx.mark(PRODUCTS_GENERATION)
            changes = product.facts()
            await self._audit.record(
                tx, actor, action=ProductAction.CREATED, resource=product.resource, changes=changes
            )
            return product

        return await self._database.write_once(actor.attempt, Product, create)

    async def change(
        self, actor: Actor, product_id: UUID, *, changes: ProductChanges, expected: Expected
    ) -> Product:
        """The product with the changes; its version stays where they change nothing.

        Raises `NotFound`, `PreconditionFailed`, `Invalid`, `SkuTaken` and `SlugTaken`.
        """
        changes.check()

        async def change(tx: WriteUnit) -> Product:
            product = await self._locked(tx, product_id, expected)
            changed = product.with_changes(changes)
            facts = facts_changed(product, changed)
            if not facts:
                return product
            stored = await self._products.change(tx, structs.replace(changed, updated_at=clock.now()))
            tx.mark(PRODUCTS_GENERATION, product_generation(product_id))
            price = {name: facts.pop(name) for name in ("price",) if name in facts}
            for action, part in ((ProductAction.PRICE_CHANGED, price), (ProductAction.CHANGED, facts)):
                if part:
                    await self._audit.record(tx, actor, action=action, resource=product.resource, changes=part)
            return stored

        return await self._database.write_once(actor.attempt, Product, change)

    async def delete(self, actor: Actor, product_id: UUID, *, expected: Expected) -> None:
        """Raises `NotFound` and `PreconditionFailed`."""

        async def delete(tx: WriteUnit) -> None:
            product = await self._locked(tx, product_id, expected)
            await self._products.remove(tx, product_id)
            tx.mark(PRODUCTS_GENERATION, product_generation(product_id))
            await self._audit.record(
                tx, actor, action=ProductAction.DELETED, resource=product.resource, changes=product.facts()
            )

        await self._database.write_once(actor.attempt, type(None), delete)

    async def _add(self, tx: WriteUnit, new: NewProduct) -> Product:
        now, product_id = clock.now(), new_id()
        slugs = (new.slug,) if new.slug else slug_candidates(new.name, product_id)
        for slug in slugs:
            product = Product(
                id=product_id,
                sku=new.sku,
                name=new.name,
                name_sort=name_sort_of(new.name),
                slug=slug,
                description=new.description,
                status=new.status,
                price=new.price,
                attributes=new.attributes,
                stock=Stock(),
                version=1,
                stock_version=1,
                created_at=now,
                updated_at=now,
            )
            stored = await self._products.add(tx, product)
            if stored:
                return stored
        raise SlugTaken

    async def _locked(self, tx: WriteUnit, product_id: UUID, expected: Expected) -> Product:
        product = await self._products.lock(tx, product_id)
        if product is None:
            raise NotFound("product")
        expected.check(str(product.version), current=product.tag)
        return product


def _seen(actor: Actor, product: Product | None) -> Product:
    if product is None or not (product.status is ProductStatus.ACTIVE or actor.may(PRODUCTS_WRITE)):
        raise NotFound("product")
    return product
