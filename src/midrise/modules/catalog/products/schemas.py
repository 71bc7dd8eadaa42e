"""Products as clients send and see them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from midrise.foundation.errors import Fault
from midrise.foundation.money import Amount, Currency, Money
from midrise.foundation.text import ONE_LINE, ONE_LINE_IN_WORDS
from midrise.modules.catalog.products.model import (
    LONGEST_NAME,
    MOST_ATTRIBUTES,
    NewProduct,
    Product,
    ProductChanges,
    ProductStatus,
    product_faults,
)
from midrise.modules.catalog.slugs import LONGEST_SLUG, SLUG_FORM

_LARGEST_NUMBER = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact (RFC 8259, section 6)."""

Sku = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=64,
        pattern=r"^[!-~]+( [!-~]+)*$",
        description="The stock-keeping unit, unique; printable ASCII, single spaces inside",
        examples=["MUG-350-BLUE"],
        extra={"expected": "printable ASCII characters with single spaces between"},
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=ONE_LINE,
        description="One line, without spaces around it",
        examples=["Blue mug, 350 ml"],
        extra={"expected": ONE_LINE_IN_WORDS},
    ),
]
Slug = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_SLUG,
        pattern=r"^([a-z0-9]|[^\x00-\x7f])+(-([a-z0-9]|[^\x00-\x7f])+)*$",
        description="The name in addresses, unique: lower-case letters and digits of any script with single "
        "hyphens between",
        examples=["blue-mug-350-ml"],
        extra={"expected": SLUG_FORM},
    ),
]
Description = Annotated[str, Meta(max_length=10_000, examples=["Stoneware, safe in the dishwasher."])]
Status = Annotated[
    ProductStatus, Meta(description="Only active products are shown to everyone", examples=["active"])
]
AttributeName = Annotated[str, Meta(min_length=1, max_length=64)]
AttributeValue = (
    Annotated[str, Meta(max_length=1000)]
    | Annotated[int, Meta(ge=-_LARGEST_NUMBER, le=_LARGEST_NUMBER)]
    | Annotated[float, Meta(ge=-_LARGEST_NUMBER, le=_LARGEST_NUMBER)]
    | bool
)
Attributes = Annotated[
    dict[AttributeName, AttributeValue],
    Meta(
        max_length=MOST_ATTRIBUTES,
        description="Facts of your own about the product: texts, numbers, true or false",
        examples=[{"colour": "blue", "capacity_ml": 350, "dishwasher_safe": True}],
    ),
]
AttributeChanges = Annotated[
    dict[AttributeName, AttributeValue | None],
    Meta(
        max_length=2 * MOST_ATTRIBUTES,
        description="Attributes to set; null removes one, those left out stay",
        examples=[{"colour": "green", "dishwasher_safe": None}],
    ),
]
Pieces = Annotated[int, Meta(ge=0)]


def further_faults(body: Mapping[str, Any]) -> Iterator[Fault]:
    """What the service would find wrong as well with a body that is refused already."""
    price = body.get("price")
    return product_faults(
        slug=_valid_text(body.get("slug"), Slug),
        currency=_valid_text(price.get("currency") if isinstance(price, dict) else None, Currency),
    )


class ProductToCreate(msgspec.Struct, forbid_unknown_fields=True):
    """A new product. Categories come with a later version; the stock has calls of its own."""

    sku: Sku
    name: Name
    price: Money
    slug: Annotated[Slug | None, Meta(description="Made from the name if left out")] = None
    description: Description = ""
    status: Status = ProductStatus.DRAFT
    attributes: Attributes = msgspec.field(default_factory=dict)

    further_faults = staticmethod(further_faults)


class PriceToChange(msgspec.Struct, forbid_unknown_fields=True):
    """A change of a price: what is left out stays."""

    amount: Amount | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET


class ProductToChange(msgspec.Struct, forbid_unknown_fields=True):
    """A change of a product (RFC 7396): what is left out stays."""

    sku: Sku | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    slug: Slug | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    price: PriceToChange | UnsetType = UNSET
    attributes: AttributeChanges | UnsetType = UNSET

    further_faults = staticmethod(further_faults)


class StockShown(msgspec.Struct):
    """Pieces of a product."""

    on_hand: Annotated[Pieces, Meta(description="In the store", examples=[10])]
    reserved: Annotated[Pieces, Meta(description="Of these, kept for orders", examples=[2])]
    available: Annotated[Pieces, Meta(description="Of these, still to be sold", examples=[8])]


class ProductShown(msgspec.Struct):
    """A product. `category_ids` is empty until categories come with a later version."""

    id: UUID
    sku: Sku
    name: Name
    slug: Slug
    description: Description
    status: Status
    price: Money
    category_ids: Sequence[UUID]
    attributes: Attributes
    stock: StockShown
    created_at: datetime
    updated_at: datetime


def new_product(body: ProductToCreate) -> NewProduct:
    return NewProduct(
        sku=body.sku,
        name=body.name,
        price=body.price,
        slug=body.slug,
        description=body.description,
        status=body.status,
        attributes=body.attributes,
    )


def product_changes(body: ProductToChange) -> ProductChanges:
    price = PriceToChange() if body.price is UNSET else body.price
    return ProductChanges(
        sku=None if body.sku is UNSET else body.sku,
        name=None if body.name is UNSET else body.name,
        slug=None if body.slug is UNSET else body.slug,
        description=None if body.description is UNSET else body.description,
        status=None if body.status is UNSET else body.status,
        price_amount=None if price.amount is UNSET else price.amount,
        price_currency=None if price.currency is UNSET else price.currency,
        attributes={} if body.attributes is UNSET else body.attributes,
    )


def product_shown(product: Product) -> ProductShown:
    stock = product.stock
    return ProductShown(
        id=product.id,
        sku=product.sku,
        name=product.name,
        slug=product.slug,
        description=product.description,
        status=product.status,
        price=product.price,
        category_ids=(),
        attributes=dict(product.attributes),
        stock=StockShown(stock.on_hand, stock.reserved, stock.available),
        created_at=product.created_at,
        updated_at=product.updated_at,
    )


def _valid_text(value: object, annotation: Any) -> str | None:
    try:
        text: str = msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return None
    return text
