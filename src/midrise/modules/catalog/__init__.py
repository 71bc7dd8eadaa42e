"""The catalogue: what is for sale."""

from pathlib import Path

from midrise.foundation.module import Built, House, Module, Permission
from midrise.modules.audit import AuditTrail
from midrise.modules.catalog.products.controller import ProductsController
from midrise.modules.catalog.products.model import PRODUCTS_WRITE, SkuTaken, SlugTaken
from midrise.modules.catalog.products.repository import PostgresProducts
from midrise.modules.catalog.products.service import Products

__all__ = ["MODULE", "Products"]


def build(house: House) -> Built:
    audit = house.services.get(AuditTrail)
    products = Products(house.database, PostgresProducts(), audit)
    house.services.provide(products)
    return Built(controllers=[ProductsController], services={"products": products})


MODULE = Module(
    name="catalog",
    build=build,
    permissions=[
        Permission("products:read", "Export products"),
        Permission(PRODUCTS_WRITE, "See every product; create, change and delete them"),
        Permission("stock:write", "Move stock"),
    ],
    errors=[SkuTaken, SlugTaken],
    constraint_errors={"uq_products_sku": SkuTaken, "uq_products_slug": SlugTaken},
    migrations=Path(__file__).parent / "migrations",
)
