"""Products of the made-up shop: any number, the same ones for the same random seed."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, repeat
from random import Random
from typing import TypeVar

from midrise.foundation.money import Money
from midrise.modules.catalog.demo.departments import Department, Word, departments
from midrise.modules.catalog.products.model import NewProduct, ProductStatus, Scalar
from midrise.modules.catalog.seeding.model import SeedProduct

Choice = TypeVar("Choice")

TAKA_PER_DOLLAR = 122
SHARE_IN_DOLLARS = 0.3
SHARE_WITH_VARIANT = 0.5
SHARE_SOLD_OUT = 0.08
TYPICAL_STOCK = 40

STATUS_OF_HUNDRED = [
    *repeat(ProductStatus.DRAFT, 5),
    *repeat(ProductStatus.ARCHIVED, 3),
    *repeat(ProductStatus.ACTIVE, 92),
]
"""Of a hundred products so many have each status."""

CODE_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no letter is taken for another, or for a digit."""

CODES = 1 << 30
_STEP = 0x2F6E2B1D
"""Odd, so that its multiples meet each of the ``CODES`` (a power of two) once before the first comes again."""


def demo_products(count: int, *, random_seed: int) -> Iterator[SeedProduct]:
    """That many products, at most ``CODES``; no two share a sku or a slug."""
    random = Random(random_seed)  # noqa: S311  made-up goods, no secrets
    shop = departments()
    shares = list(accumulate(department.share for department in shop))
    by_share = list(chain.from_iterable(repeat(each, each.share) for each in shop))
    start = random.randrange(CODES)
    for number in range(count):
        department = by_share[int(random.random() * shares[-1])]
        product = _product(department, _code((start + number) * _STEP % CODES), random)
        yield SeedProduct(number + 1, product, _stock(random))


def _product(department: Department, code: str, random: Random) -> NewProduct:
    parts = [_any(words, random) for words in (department.qualities, department.materials, department.things)]
    variant = _any(department.variants, random) if random.random() < SHARE_WITH_VARIANT else None
    return NewProduct(
        sku=f"{department.code}-{code}",
        name=_name(parts, variant),
        slug=_slug(parts, code),
        description=_description(department, random),
        status=_any(STATUS_OF_HUNDRED, random),
        price=_price(department.typical_price, random),
        attributes=_attributes(department, random),
    )


def _name(parts: Sequence[Word], variant: Word | None) -> str:
    name = " ".join(part.text for part in parts)
    return f"{name}, {variant.text}" if variant else name


def _description(department: Department, random: Random) -> str:
    sentences = department.sentences
    first = int(random.random() * len(sentences))
    return f"{sentences[first]} {sentences[first - 1]}"


def _slug(parts: Sequence[Word], code: str) -> str:
    return "-".join([*(part.slug for part in parts), code.lower()])


def _code(number: int) -> str:
    return "".join(CODE_LETTERS[number >> shift & 31] for shift in (25, 20, 15, 10, 5, 0))


def _price(typical: int, random: Random) -> Money:
    """A price spread around the typical price as prices in shops are."""
    taka = random.lognormvariate(0, 0.6) * typical
    if random.random() < SHARE_IN_DOLLARS:
        return Money(max(1, round(taka / TAKA_PER_DOLLAR)) * 100 - 1, "USD")
    step = 5 if taka < 500 else 10 if taka < 2000 else 50
    return Money(max(step, round(taka / step) * step) * 100, "BDT")


def _stock(random: Random) -> int:
    if random.random() < SHARE_SOLD_OUT:
        return 0
    return 1 + int(random.lognormvariate(0, 1) * TYPICAL_STOCK)


def _attributes(department: Department, random: Random) -> dict[str, Scalar]:
    return {name: _any(values, random) for name, values in department.attributes if random.random() < 0.8}


def _any(choices: Sequence[Choice], random: Random) -> Choice:
    # random.choice takes three times as long; a hundred thousand products make a million choices.
    return choices[int(random.random() * len(choices))]
