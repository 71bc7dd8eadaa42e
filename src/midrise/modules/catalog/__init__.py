"""The catalogue: what is for sale."""

from pathlib import Path

from midrise.foundation.database import Database
from midrise.foundation.module import Built, House, Module, Permission
from midrise.modules.audit import AuditTrail, audit_trail
from midrise.modules.catalog.demo import demo_products
from midrise.modules.catalog.products.controller import ProductsController
from midrise.modules.catalog.products.model import PRODUCTS_WRITE, SkuTaken, SlugTaken
from midrise.modules.catalog.products.repository import PostgresProducts
from midrise.modules.catalog.products.service import Products
from midrise.modules.catalog.seeding.lines import read_products
from midrise.modules.catalog.seeding.model import ProductTaken, Seeded, SeedProduct, SeedRefused
from midrise.modules.catalog.seeding.repository import PostgresProductLoading
from midrise.modules.catalog.seeding.service import CatalogueSeeding

__all__ = [
    "MODULE",
    "ProductTaken",
    "Products",
    "SeedProduct",
    "SeedRefused",
    "Seeded",
    "catalogue_seeding",
    "demo_products",
    "read_products",
]


def catalogue_seeding(database: Database) -> CatalogueSeeding:
    """What fills the catalogue of a database, for a command that builds no house."""
    return CatalogueSeeding(database, PostgresProductLoading(), audit=audit_trail(database))


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
