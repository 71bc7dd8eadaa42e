"""`/v1/products` over HTTP: creating, reading and deleting."""

import asyncio
from collections import Counter
from urllib.parse import quote

import pytest

pytestmark = pytest.mark.anyio

MUG = {"sku": "MUG-1", "name": "Blue mug", "price": {"amount": 1999, "currency": "BDT"}}


def faults(answer):
    assert answer.status_code == 422, answer.text
    return {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}


async def test_a_product_is_created_with_its_defaults(admin):
    answer = await admin.post("/v1/products", json=MUG)
    assert answer.status_code == 201
    product = answer.json()
    assert answer.headers["etag"] == '"1.1"'
    assert answer.headers["location"] == f"/v1/products/{product['id']}"
    assert product.pop("created_at") == product.pop("updated_at")
    del product["id"]
    assert product == MUG | {
        "slug": "blue-mug",
        "description": "",
        "status": "draft",
        "category_ids": [],
        "attributes": {},
        "stock": {"on_hand": 0, "reserved": 0, "available": 0},
    }


async def test_a_product_keeps_all_that_it_was_given(admin, create):
    given = {
        "name": "নীল কাপ",
        "slug": "কাপ-350",
        "description": "Stoneware.\nSafe in the dishwasher.",
        "status": "active",
        "price": {"amount": 2**63 - 1, "currency": "USD"},
        "attributes": {"colour": "নীল", "ml": -350, "ratio": 1.25, "safe": True},
    }
    answer = await create(**given)
    read = await admin.get(answer.headers["location"])
    assert read.json() == answer.json()
    assert read.json().items() >= given.items()


async def test_a_name_in_bengali_makes_a_slug_that_finds_it(client, create):
    created = (await create(name="নীল কাপ", status="active")).json()
    assert created["slug"] == "নীল-কাপ"
    found = await client.get(f"/v1/products/by-slug/{quote(created['slug'])}")
    assert found.json() == created


@pytest.mark.parametrize(("field", "code"), [("sku", "sku_taken"), ("slug", "slug_taken")])
async def test_what_is_taken_is_a_conflict(create, field, code):
    first = (await create()).json()
    answer = await create(**{field: first[field]})
    assert (answer.status_code, answer.json()["code"]) == (409, code)


async def test_a_conflict_is_told_in_bengali(admin):
    await admin.post("/v1/products", json=MUG)
    answer = await admin.post("/v1/products", json=MUG, headers={"Accept-Language": "bn"})
    assert (answer.json()["code"], answer.json()["detail"]) == ("sku_taken", "এই SKU অন্য একটি পণ্যের")


async def test_one_name_at_once_gives_each_product_a_slug_of_its_own(create):
    answers = await asyncio.gather(*(create(name="Mug") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["slug"] for answer in answers}) == 20


async def test_one_sku_at_once_is_given_once(create):
    answers = await asyncio.gather(*(create(sku="MUG") for _ in range(20)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 19}


async def test_every_bad_field_is_named_at_once(create):
    answer = await create(
        sku=" A",
        name="A\nB",
        slug="A b",
        description="x" * 10_001,
        status="sold",
        price={"amount": -1, "currency": "taka", "cents": 0},
        attributes={"": 1, "list": [], "null": None, "long": "x" * 1001, "big": 2**53, "real": 1e300},
        stock={"on_hand": 1},
    )
    assert faults(answer) == {
        "/sku": "wrong_format",
        "/name": "wrong_format",
        "/slug": "wrong_format",
        "/description": "too_long",
        "/status": "not_allowed",
        "/price/amount": "too_small",
        "/price/currency": "wrong_format",
        "/price/cents": "unknown_field",
        "/attributes/": "too_short",
        "/attributes/list": "wrong_type",
        "/attributes/null": "wrong_type",
        "/attributes/long": "too_long",
        "/attributes/big": "too_large",
        "/attributes/real": "too_large",
        "/stock": "unknown_field",
    }


async def test_rules_and_types_are_told_together(create):
    answer = await create(sku="", slug="É", price={"amount": -1, "currency": "ZZZ"})
    assert faults(answer) == {
        "/sku": "too_short",
        "/slug": "wrong_format",
        "/price/amount": "too_small",
        "/price/currency": "unknown_currency",
    }


async def test_a_body_without_anything_lacks_what_is_required(admin):
    answer = await admin.post("/v1/products", json={})
    assert faults(answer) == {"/sku": "missing", "/name": "missing", "/price": "missing"}


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"price": {"amount": 1, "currency": "ZZZ"}}, "/price/currency", "unknown_currency"),
        ({"price": {"amount": 2**63, "currency": "BDT"}}, "/price/amount", "too_large"),
        ({"price": {"amount": 1.5, "currency": "BDT"}}, "/price/amount", "wrong_type"),
        ({"slug": "É"}, "/slug", "wrong_format"),
        ({"sku": "A\n"}, "/sku", "wrong_format"),
        ({"name": "Mug "}, "/name", "wrong_format"),
        ({"name": "\u3000"}, "/name", "wrong_format"),
        ({"name": "Mug\0"}, "/name", "wrong_format"),
        ({"description": "a\0b"}, "/description", "nul_character"),
        ({"attributes": {"a\0": 1}}, "/attributes/a\0", "nul_character"),
        ({"attributes": {str(number): 1 for number in range(51)}}, "/attributes", "too_long"),
        ({"category_ids": []}, "/category_ids", "unknown_field"),
    ],
)
async def test_a_bad_field_is_named(create, fields, pointer, code):
    assert faults(await create(**fields))[pointer] == code


@pytest.mark.parametrize("status", ["draft", "archived"])
async def test_what_is_not_active_is_not_there_for_others(client, admin, customer, create, status):
    product = (await create(status=status)).json()
    for path in (product["id"], f"by-slug/{product['slug']}"):
        assert (await admin.get(f"/v1/products/{path}")).status_code == 200
        for other in (client, customer):
            answer = await other.get(f"/v1/products/{path}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "path", ["0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21", "by-slug/unknown", "by-slug/Unknown%20Slug", "7"]
)
async def test_an_unknown_product_is_not_found(admin, path):
    answer = await admin.get(f"/v1/products/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_what_the_client_has_is_not_sent_again(client, create):
    created = await create(status="active")
    url, tag = created.headers["location"], created.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await client.get(url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.headers["etag"], answer.content) == (304, tag, b"")
    assert (await client.get(url, headers={"If-None-Match": '"1.2"'})).status_code == 200


@pytest.mark.parametrize("call", ["post", "patch", "delete"])
async def test_only_editors_change_products(client, customer, create, call):
    product = (await create(status="active")).json()
    url = "/v1/products" if call == "post" else f"/v1/products/{product['id']}"
    body = {} if call == "delete" else {"json": {}}
    assert (await client.request(call, url, **body)).status_code == 401
    assert (await customer.request(call, url, **body)).status_code == 403


async def test_a_deleted_product_is_gone_and_its_names_are_free(admin, create):
    created = await create(sku="MUG", slug="mug")
    url = created.headers["location"]
    assert (await admin.delete(url)).status_code == 204
    assert (await admin.get(url)).status_code == 404
    assert (await admin.delete(url)).status_code == 404
    assert (await create(sku="MUG", slug="mug")).status_code == 201


async def test_a_stale_delete_deletes_nothing(admin, create):
    created = await create()
    url = created.headers["location"]
    await admin.patch(url, json={"name": "Cup"})
    answer = await admin.delete(url, headers={"If-Match": created.headers["etag"]})
    assert (answer.status_code, answer.headers["etag"]) == (412, '"2.1"')
    assert (await admin.get(url)).status_code == 200
