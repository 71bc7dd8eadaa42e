"""`GET /v1/products`: filters, orders, and pages that neither repeat nor lose a product."""

from itertools import islice

import pytest

pytestmark = pytest.mark.anyio

SORTS = ("name", "-name", "price", "-price", "created_at", "-created_at")


async def names(client, query=""):
    answer = await client.get(f"/v1/products?{query}")
    assert answer.status_code == 200, answer.text
    return [product["name"] for product in answer.json()["items"]]


async def refusal(client, query):
    answer = await client.get(f"/v1/products?{query}")
    assert answer.status_code == 400, answer.text
    return answer.json()["code"], [(each["parameter"], each["code"]) for each in answer.json()["errors"]]


async def test_an_empty_list_is_a_page(client):
    answer = await client.get("/v1/products")
    assert answer.json() == {"items": [], "next_cursor": None}
    assert "link" not in answer.headers


async def test_a_listed_product_looks_as_when_it_is_read(client, create):
    created = (await create(status="active")).json()
    assert (await client.get("/v1/products")).json()["items"] == [created]


async def test_the_newest_come_first(admin, create):
    for name in ("a", "b", "c"):
        await create(name=name)
    assert await names(admin) == ["c", "b", "a"]
    assert await names(admin, "sort=created_at") == ["a", "b", "c"]


async def test_most_see_active_products_alone(client, customer, admin, create):
    for status in ("draft", "active", "archived"):
        await create(name=status, status=status)
    assert sorted(await names(admin)) == ["active", "archived", "draft"]
    assert await names(admin, "status=draft") == ["draft"]
    for other in (client, customer):
        assert await names(other) == await names(other, "status=active") == ["active"]
        assert await names(other, "status=draft") == []


async def test_filters_narrow_the_list_together(admin, create):
    await create(name="cheap", price={"amount": 5, "currency": "BDT"})
    await create(name="dear", price={"amount": 500, "currency": "BDT"})
    await create(name="dollar", price={"amount": 50, "currency": "USD"})
    assert await names(admin, "price_min=5&price_max=50&sort=price") == ["cheap", "dollar"]
    assert await names(admin, "price_min=5&price_max=50&currency=USD") == ["dollar"]
    assert await names(admin, "price_min=51&price_max=50") == []
    assert await names(admin, "in_stock=true") == []
    assert len(await names(admin, "in_stock=false")) == 3


@pytest.mark.parametrize("sort", SORTS)
async def test_a_walk_over_ties_sees_each_once_while_others_come(admin, create, walk, sort):
    before = {(await create(name=f"Mug {number % 2}")).json()["id"] for number in range(9)}

    names_to_come = iter(["Mug 0", "Mug 1"] * 3)

    async def another():
        for name in islice(names_to_come, 2):
            await create(name=name)

    pages = await walk(admin, f"/v1/products?sort={sort}&limit=2", between=another)
    seen = [product["id"] for page in pages for product in page]
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


@pytest.mark.parametrize("sort", SORTS)
async def test_both_directions_are_each_other_turned_round(admin, create, walk, sort):
    for number in range(7):
        await create(name=f"Mug {number % 3}", price={"amount": number % 2, "currency": "BDT"})
    turned = sort.removeprefix("-") if sort.startswith("-") else f"-{sort}"
    forth = await walk(admin, f"/v1/products?sort={sort}&limit=3")
    back = await walk(admin, f"/v1/products?sort={turned}&limit=100")
    assert [len(page) for page in forth] == [3, 3, 1]
    assert [product["id"] for page in forth for product in page] == [
        product["id"] for product in reversed(back[0])
    ]


async def test_a_page_that_is_just_full_is_the_last(admin, create):
    for _ in range(2):
        await create()
    assert (await admin.get("/v1/products?limit=2")).json()["next_cursor"] is None


async def test_a_deleted_last_row_does_not_stop_a_walk(admin, create):
    for name in ("a", "b", "c"):
        await create(name=name)
    first = await admin.get("/v1/products?sort=name&limit=2")
    await admin.delete(f"/v1/products/{first.json()['items'][-1]['id']}")
    rest = await admin.get(first.links["next"]["url"])
    assert [product["name"] for product in rest.json()["items"]] == ["c"]


async def test_a_cursor_belongs_to_its_query_and_any_limit(admin, create):
    for _ in range(3):
        await create()
    cursor = (await admin.get("/v1/products?sort=price&price_min=1&limit=1")).json()["next_cursor"]
    assert len(await names(admin, f"cursor={cursor}&price_min=1&limit=100&sort=price")) == 2
    for other in ("sort=-price&price_min=1", "sort=price&price_min=2", "sort=price", "price_min=1"):
        expected = ("invalid_cursor", [("cursor", "invalid_cursor")])
        assert await refusal(admin, f"{other}&cursor={cursor}") == expected


async def test_no_character_of_a_cursor_can_be_changed(admin, create):
    for _ in range(2):
        await create()
    cursor = (await admin.get("/v1/products?limit=1")).json()["next_cursor"]
    for place, character in enumerate(cursor):
        tampered = f"{cursor[:place]}{'A' if character != 'A' else 'B'}{cursor[place + 1 :]}"
        assert (await refusal(admin, f"cursor={tampered}"))[0] == "invalid_cursor"


@pytest.mark.parametrize("cursor", ["", "A", "AAAA", "%F0%9F%AB%96", "a=b", "A" * 1000])
async def test_what_is_no_cursor_is_refused(admin, cursor):
    assert (await refusal(admin, f"cursor={cursor}"))[0] == "invalid_cursor"


@pytest.mark.parametrize("parameter", ["category=x", "q=mug", "sort=relevance", "page=2", "Status=active"])
async def test_what_the_call_does_not_know_is_refused(admin, parameter):
    code, faults = await refusal(admin, parameter)
    name = parameter.partition("=")[0]
    expected = "not_allowed" if name == "sort" else "unknown_parameter"
    assert faults == [(name, expected)]
    assert code == ("invalid_parameters" if name == "sort" else "unknown_parameter")


async def test_every_bad_parameter_is_named_at_once(admin):
    query = (
        "limit=0&sort=sku&status=sold&price_min=-1&price_max=9223372036854775808&currency=taka&in_stock=maybe"
    )
    code, faults = await refusal(admin, query)
    assert code == "invalid_parameters"
    assert dict(faults) == {
        "limit": "too_small",
        "sort": "not_allowed",
        "status": "not_allowed",
        "price_min": "too_small",
        "price_max": "too_large",
        "currency": "wrong_format",
        "in_stock": "wrong_type",
    }


async def test_a_currency_that_there_is_not_is_refused(admin):
    assert await refusal(admin, "currency=ZZZ") == ("invalid_parameters", [("currency", "unknown_currency")])


async def test_null_is_no_value_of_a_parameter(admin):
    assert await refusal(admin, "price_min=null&status=null") == (
        "invalid_parameters",
        [("price_min", "wrong_type"), ("status", "not_allowed")],
    )


async def test_a_parameter_stands_once(admin):
    assert await refusal(admin, "status=draft&status=active") == (
        "invalid_parameters",
        [("status", "repeated")],
    )
