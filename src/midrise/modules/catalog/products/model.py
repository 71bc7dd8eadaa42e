"""A product, what may be said of it, and what lists of products can be narrowed and ordered by."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from midrise.foundation.errors import Conflict, Fault, FaultCode, Invalid, InvalidParameters
from midrise.foundation.money import Money, is_currency
from midrise.foundation.text import sort_key
from midrise.modules.catalog.slugs import SLUG_FORM, is_slug

LONGEST_NAME = 200
MOST_ATTRIBUTES = 50

PRODUCTS_WRITE = "products:write"
"""Who holds it sees and changes every product; everyone else sees the active ones."""

Scalar = str | int | float | bool
Attributes = Mapping[str, Scalar]


class SkuTaken(Conflict):
    """Another product has this stock-keeping unit: each is given to one product alone."""

    code = "sku_taken"
    title = "The SKU is taken"
    detail = "Another product has this SKU"


class SlugTaken(Conflict):
    """Another product has this slug. Choose another one, or leave it out and have one made from the name."""

    code = "slug_taken"
    title = "The slug is taken"
    detail = "Another product has this slug"


PRODUCTS_GENERATION = "products"
"""The generation of what shows more than one product, or finds one by anything but its id."""


def product_generation(product_id: UUID | str) -> str:
    """The generation of what shows this product alone."""
    return f"product:{product_id}"


class ProductAction(StrEnum):
    """What the audit says of products."""

    CREATED = "product:created"
    CHANGED = "product:changed"
    PRICE_CHANGED = "product:price:changed"
    DELETED = "product:deleted"


class ProductStatus(StrEnum):
    """Where a product stands in its life: only active ones are shown to everyone."""

    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"


class ProductSort(StrEnum):
    """The orders of a list; ``-`` turns one round. Equal ones follow each other by id, the same way round."""

    NAME = "name"
    NAME_DESCENDING = "-name"
    PRICE = "price"
    PRICE_DESCENDING = "-price"
    OLDEST = "created_at"
    NEWEST = "-created_at"

    @property
    def field(self) -> str:
        """What is sorted by, without the direction."""
        return self.value.removeprefix("-")

    @property
    def descending(self) -> bool:
        return self.value.startswith("-")

    @property
    def key_types(self) -> type[tuple[Any, UUID]]:
        """The types of a product's `Product.keys`."""
        return _KEY_TYPES[self.field]


_KEY_TYPES: Mapping[str, type[tuple[Any, UUID]]] = {
    "name": tuple[str, UUID],
    "price": tuple[int, UUID],
    "created_at": tuple[datetime, UUID],
}


class Stock(msgspec.Struct, frozen=True):
    """Pieces: ``on_hand`` in the store, ``reserved`` of them for orders."""

    on_hand: int = 0
    reserved: int = 0

    @property
    def available(self) -> int:
        """Pieces that can still be sold."""
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class NewProduct:
    """What a product starts with. Without a slug, one is made from the name."""

    sku: str
    name: str
    price: Money
    slug: str | None = None
    description: str = ""
    status: ProductStatus = ProductStatus.DRAFT
    attributes: Attributes = field(default_factory=dict)

    def check(self) -> None:
        """Raises `Invalid` with every rule that is broken."""
        _refuse(product_faults(slug=self.slug, currency=self.price.currency))


@dataclass(frozen=True, slots=True)
class ProductChanges:
    """What to change; None leaves what is there. An attribute of None is removed."""

    sku: str | None = None
    name: str | None = None
    slug: str | None = None
    description: str | None = None
    status: ProductStatus | None = None
    price_amount: int | None = None
    price_currency: str | None = None
    attributes: Mapping[str, Scalar | None] = field(default_factory=dict)

    def check(self) -> None:
        """Raises `Invalid` with every rule that is broken, whatever the product is."""
        _refuse(product_faults(slug=self.slug, currency=self.price_currency))


class Product(msgspec.Struct, frozen=True):
    """Something that is sold.

    A struct, as its parts are: of a dataclass that is frozen, a list of twenty took 40 µs more to make.
    """

    id: UUID
    sku: str
    name: str
    name_sort: str
    slug: str
    description: str
    status: ProductStatus
    price: Money
    attributes: Attributes
    stock: Stock
    version: int
    stock_version: int
    created_at: datetime
    updated_at: datetime

    @property
    def tag(self) -> str:
        """The entity tag, without quotes."""
        return f"{self.version}.{self.stock_version}"

    @property
    def resource(self) -> str:
        """What the audit calls it."""
        return f"product:{self.id}"

    def keys(self, sort: ProductSort) -> tuple[object, UUID]:
        """What finds its place in a list: what is sorted by, then the id."""
        match sort.field:
            case "name":
                return self.name_sort, self.id
            case "price":
                return self.price.amount, self.id
        return self.created_at, self.id

    def with_changes(self, changes: ProductChanges) -> "Product":
        """The product as the changes make it. Raises `Invalid` where it gets too many attributes.

        The slug stays when the name changes: addresses that were given out keep their meaning.
        """
        merged = {**self.attributes, **changes.attributes}
        attributes = {name: value for name, value in merged.items() if value is not None}
        if len(attributes) > MOST_ATTRIBUTES:
            limit = {"limit": MOST_ATTRIBUTES}
            raise Invalid([Fault(FaultCode.TOO_LONG, pointer="/attributes", arguments=limit)])
        name = self.name if changes.name is None else changes.name
        return msgspec.structs.replace(
            self,
            sku=changes.sku or self.sku,
            name=name,
            name_sort=self.name_sort if name == self.name else name_sort_of(name),
            slug=changes.slug or self.slug,
            description=self.description if changes.description is None else changes.description,
            status=changes.status or self.status,
            price=Money(
                self.price.amount if changes.price_amount is None else changes.price_amount,
                changes.price_currency or self.price.currency,
            ),
            attributes=attributes,
        )

    def facts(self) -> dict[str, Any]:
        """What can be changed of it, each fact under its name, as the audit writes it."""
        return {
            "sku": self.sku,
            "name": self.name,
            "slug": self.slug,
            "description": self.description,
            "status": self.status.value,
            "price": {"amount": self.price.amount, "currency": self.price.currency},
            **{f"attributes.{name}": value for name, value in self.attributes.items()},
        }


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """What to list; None lists whatever there is. Prices are in minor units, both bounds inclusive."""

    status: ProductStatus | None = None
    price_min: int | None = None
    price_max: int | None = None
    currency: str | None = None
    in_stock: bool | None = None

    def check(self) -> None:
        """Raises `InvalidParameters` for a currency that there is not."""
        if self.currency is not None and not is_currency(self.currency):
            raise InvalidParameters([Fault(FaultCode.UNKNOWN_CURRENCY, parameter="currency")])


def name_sort_of(name: str) -> str:
    """What products are sorted by name with.

    Cut, because NFKC can make eighteen characters of one (U+FDFA) and an index holds 2,700 bytes of a row.
    """
    return sort_key(name)[:LONGEST_NAME]


def product_faults(*, slug: str | None, currency: str | None) -> Iterator[Fault]:
    """Rules that are broken and that no type can say; None leaves a member out of it."""
    if slug is not None and not is_slug(slug):
        yield Fault(FaultCode.WRONG_FORMAT, pointer="/slug", arguments={"expected": SLUG_FORM})
    if currency is not None and not is_currency(currency):
        yield Fault(FaultCode.UNKNOWN_CURRENCY, pointer="/price/currency")


def facts_changed(before: Product, after: Product) -> dict[str, dict[str, Any]]:
    """Each fact that differs, with both values; None stands for an attribute that is not there.

    Compared as JSON: to Python ``True == 1`` and ``1 == 1.0``, to a client they are not the same.
    """
    old, new = before.facts(), after.facts()
    return {
        name: {"from": old.get(name), "to": new.get(name)}
        for name in old | new
        if msgspec.json.encode(old.get(name)) != msgspec.json.encode(new.get(name))
    }


def _refuse(faults: Iterator[Fault]) -> None:
    found = list(faults)
    if found:
        raise Invalid(found)
