"""A product as it is loaded into the catalogue, what comes of a run, and why one is refused."""

from dataclasses import dataclass
from uuid import UUID

from midrise.modules.catalog.products.model import NewProduct


@dataclass(frozen=True, slots=True)
class SeedProduct:
    """What is stored of a product from the start, its stock too; every rule has been checked.

    ``line`` is where it stands in its source, from 1.
    """

    line: int
    product: NewProduct
    stock_on_hand: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product on its way into the table, under the id and the slug that it is to have."""

    id: UUID
    slug: str
    seed: SeedProduct


@dataclass(frozen=True, slots=True)
class Seeded:
    """How many products a run stored, and how many it passed over because they were there."""

    created: int
    skipped: int


class SeedRefused(Exception):
    """Nothing was stored; the text says in a sentence why, for the person who started the run."""


class LineInvalid(SeedRefused):
    """A line of the file is no product."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"Line {line}: {reason}.")


class ProductTaken(SeedRefused):
    """The sku or the slug of a product belongs to one that is stored, or that stands before it."""

    def __init__(self, seed: SeedProduct) -> None:
        slug = f" or the slug {seed.product.slug}" if seed.product.slug else ""
        super().__init__(f"Line {seed.line}: the sku {seed.product.sku}{slug} is taken already.")
