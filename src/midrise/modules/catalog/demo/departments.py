"""The departments of the made-up shop, as ``assortment.toml`` describes them."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from midrise.modules.catalog.products.model import Scalar
from midrise.modules.catalog.slugs import slug_of

ASSORTMENT = Path(__file__).parent / "assortment.toml"


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a name as it is shown, and as it stands in addresses."""

    text: str
    slug: str


@dataclass(frozen=True, slots=True)
class Department:
    """One kind of goods: the words of its names, what is said of them, and what they cost.

    ``typical_price`` is the median in whole taka.
    """

    code: str
    share: int
    typical_price: int
    qualities: Sequence[Word]
    materials: Sequence[Word]
    things: Sequence[Word]
    variants: Sequence[Word]
    sentences: Sequence[str]
    attributes: Sequence[tuple[str, Sequence[Scalar]]]


@cache
def departments() -> Sequence[Department]:
    """Every department."""
    return [_department(values) for values in tomllib.loads(ASSORTMENT.read_text("utf-8"))["departments"]]


def _department(values: Mapping[str, Any]) -> Department:
    return Department(
        code=values["code"],
        share=values["share"],
        typical_price=values["typical_price"],
        qualities=_words(values["qualities"]),
        materials=_words(values["materials"]),
        things=_words(values["things"]),
        variants=_words(values["variants"]),
        sentences=values["sentences"],
        attributes=tuple(values["attributes"].items()),
    )


def _words(texts: Sequence[str]) -> Sequence[Word]:
    return [Word(text, slug_of(text)) for text in texts]
