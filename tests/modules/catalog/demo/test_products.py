"""The made-up products are unlike each other, the same for the same seed, and as the catalogue wants them."""

import unicodedata
from collections import Counter
from itertools import islice

import msgspec
import pytest

from midrise.modules.catalog.demo import demo_products
from midrise.modules.catalog.demo.products import CODES
from midrise.modules.catalog.products.model import ProductStatus
from midrise.modules.catalog.products.schemas import ProductToCreate
from midrise.modules.catalog.slugs import is_slug


@pytest.fixture(scope="module")
def seeds():
    return list(demo_products(5000, random_seed=1))


def test_no_two_share_a_sku_or_a_slug(seeds):
    assert len({seed.product.sku for seed in seeds}) == len(seeds)
    assert len({seed.product.slug for seed in seeds}) == len(seeds)


def test_the_same_random_seed_gives_the_same_products(seeds):
    assert list(demo_products(5000, random_seed=1)) == seeds


def test_fewer_products_are_the_first_of_more(seeds):
    assert list(demo_products(10, random_seed=1)) == seeds[:10]


def test_another_random_seed_gives_other_products(seeds):
    others = demo_products(5000, random_seed=2)

    assert {seed.product.sku for seed in seeds}.isdisjoint(seed.product.sku for seed in others)


def test_each_is_what_a_client_could_create(seeds):
    for seed in seeds:
        body = msgspec.to_builtins(seed.product)
        msgspec.convert(body, ProductToCreate)
        seed.product.check()
        assert is_slug(seed.product.slug)


def test_the_shop_looks_like_one(seeds):
    products = [seed.product for seed in seeds]
    statuses = Counter(product.status for product in products)

    assert statuses[ProductStatus.ACTIVE] > 0.85 * len(products)
    assert set(statuses) == set(ProductStatus)
    assert {product.price.currency for product in products} == {"BDT", "USD"}
    assert any(seed.stock_on_hand == 0 for seed in seeds)
    assert any("BENGALI" in unicodedata.name(product.name[0], "") for product in products)
    assert {type(value) for product in products for value in product.attributes.values()} == {
        str,
        int,
        float,
        bool,
    }


def test_they_are_made_as_they_are_asked_for():
    assert len(list(islice(demo_products(CODES, random_seed=1), 3))) == 3
