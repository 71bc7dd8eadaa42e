"""`PATCH /v1/products/{id}`: merge patches and whom they are for."""

import asyncio
from collections import Counter

import pytest

from midrise.foundation.ids import new_id

pytestmark = pytest.mark.anyio

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


async def changed(admin, created, patch, **headers):
    return await admin.patch(created.headers["location"], json=patch, headers=headers)


@pytest.mark.parametrize(
    ("patch", "after"),
    [
        ({"name": "Cup"}, {"name": "Cup", "slug": "mug"}),
        ({"slug": "cup"}, {"slug": "cup"}),
        ({"description": ""}, {"description": ""}),
        ({"status": "archived"}, {"status": "archived"}),
        ({"price": {"amount": 0}}, {"price": {"amount": 0, "currency": "BDT"}}),
        ({"price": {"currency": "USD"}}, {"price": {"amount": 1999, "currency": "USD"}}),
        ({"attributes": {"a": None, "b": 2}}, {"attributes": {"b": 2, "c": True}}),
        ({"attributes": {"c": 1}}, {"attributes": {"a": 1, "c": 1}}),
    ],
)
async def test_what_a_patch_names_changes_and_the_rest_stays(admin, create, patch, after):
    created = await create(description="Old", attributes={"a": 1, "c": True})
    answer = await changed(admin, created, patch)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2.1"')
    before = created.json()
    assert answer.json()["updated_at"] > before["updated_at"]
    assert answer.json() == before | after | {"updated_at": answer.json()["updated_at"]}
    assert (await admin.get(created.headers["location"])).json() == answer.json()


@pytest.mark.parametrize(
    "patch", [{}, {"price": {}}, {"name": "Mug"}, {"attributes": {"a": 1, "absent": None}}]
)
async def test_a_patch_that_changes_nothing_leaves_the_version(admin, create, patch):
    created = await create(attributes={"a": 1})
    answer = await changed(admin, created, patch)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1.1"')
    assert answer.json() == created.json()


async def test_a_merge_patch_has_a_content_type_of_its_own(admin, create):
    answer = await changed(admin, await create(), {"name": "Cup"}, **MERGE_PATCH)
    assert answer.json()["name"] == "Cup"


async def test_another_content_type_is_refused_with_those_that_fit(admin, create):
    created = await create()
    answer = await admin.patch(
        created.headers["location"], content=b"name=Cup", headers={"Content-Type": "text/plain"}
    )
    assert answer.status_code == 415
    assert "application/merge-patch+json" in answer.headers["accept-patch"]


async def test_null_on_what_a_product_always_has_is_named(admin, create):
    members = ("sku", "name", "slug", "description", "status", "price", "attributes")
    answer = await changed(admin, await create(), dict.fromkeys(members))
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {f"/{name}" for name in members}


@pytest.mark.parametrize(
    ("patch", "pointer", "code"),
    [
        ({"price": {"currency": "ZZZ"}}, "/price/currency", "unknown_currency"),
        ({"price": {"amount": None, "currency": "BDT"}}, "/price/amount", "wrong_type"),
        ({"slug": "Á"}, "/slug", "wrong_format"),
        ({"stock": {"on_hand": 1}}, "/stock", "unknown_field"),
        ({"attributes": {"a": {}}}, "/attributes/a", "wrong_type"),
        ({"attributes": {str(number): 1 for number in range(50)}}, "/attributes", "too_long"),
    ],
)
async def test_a_bad_field_is_named_and_nothing_changes(admin, create, patch, pointer, code):
    created = await create(attributes={"a": 1})
    answer = await changed(admin, created, {"name": "Cup"} | patch)
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [(pointer, code)]
    assert (await admin.get(created.headers["location"])).json() == created.json()


@pytest.mark.parametrize(("field", "code"), [("sku", "sku_taken"), ("slug", "slug_taken")])
async def test_what_is_taken_is_a_conflict(admin, create, field, code):
    taken = (await create()).json()[field]
    answer = await changed(admin, await create(), {field: taken})
    assert (answer.status_code, answer.json()["code"]) == (409, code)


async def test_an_unknown_product_is_not_found(admin):
    assert (await admin.patch(f"/v1/products/{new_id()}", json={})).status_code == 404


@pytest.mark.parametrize("if_match", ['"1.1"', 'W/"1.1"', '"7.7", "1.1"', "*", '"1.9"'])
async def test_the_version_that_is_meant_is_changed(admin, create, if_match):
    answer = await changed(admin, await create(), {"name": "Cup"}, **{"If-Match": if_match})
    assert answer.status_code == 200


@pytest.mark.parametrize("if_match", ['"2.1"', '"1"1', '"0.1", "3.1"', '""'])
async def test_another_version_is_not(admin, create, if_match):
    created = await create()
    answer = await changed(admin, created, {"name": "Cup"}, **{"If-Match": if_match})
    assert answer.status_code in {400, 412}
    assert answer.status_code == 400 or answer.headers["etag"] == '"1.1"'
    assert (await admin.get(created.headers["location"])).json() == created.json()


async def test_no_update_is_lost_among_fifty_writers(admin, create):
    created = await create(attributes={"count": 0})
    url = created.headers["location"]

    async def increment():
        read = await admin.get(url)
        patch = {"attributes": {"count": read.json()["attributes"]["count"] + 1}}
        return (await admin.patch(url, json=patch, headers={"If-Match": read.headers["etag"]})).status_code

    statuses = Counter(await asyncio.gather(*(increment() for _ in range(50))))
    assert statuses.keys() <= {200, 412}
    final = await admin.get(url)
    assert final.json()["attributes"]["count"] == statuses[200] > 0
    assert final.headers["etag"] == f'"{statuses[200] + 1}.1"'


async def test_changes_of_different_members_at_once_all_stay(admin, create):
    url = (await create()).headers["location"]
    names = [f"a{number}" for number in range(20)]
    await asyncio.gather(*(admin.patch(url, json={"attributes": {name: True}}) for name in names))
    assert (await admin.get(url)).json()["attributes"] == dict.fromkeys(names, True)


async def test_the_price_has_an_entry_of_its_own_in_the_audit(admin, create):
    created = await create()
    await changed(admin, created, {"name": "Cup", "price": {"amount": 5}})
    audit = await admin.get("/v1/audit", params={"resource": f"product:{created.json()['id']}"})
    assert [entry["action"] for entry in audit.json()["items"]] == [
        "product:changed",
        "product:price:changed",
        "product:created",
    ]
    assert audit.json()["items"][0]["changes"] == {"name": {"from": "Mug", "to": "Cup"}}
