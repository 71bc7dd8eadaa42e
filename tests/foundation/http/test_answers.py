"""What answers say of themselves to caches and clients."""

import pytest

pytestmark = pytest.mark.anyio


async def test_a_problem_says_that_it_depends_on_the_language(client):
    answer = await client.get("/v1/me")
    assert "Accept-Language" in answer.headers.get_list("vary", split_commas=True)


async def test_a_token_that_is_no_good_is_told_from_none(client):
    without = await client.get("/v1/me")
    refused = await client.get("/v1/me", headers={"Authorization": "Bearer nonsense"})
    assert without.headers["www-authenticate"] == 'Bearer realm="midrise"'
    assert refused.headers["www-authenticate"] == 'Bearer realm="midrise", error="invalid_token"'


async def test_a_compressed_body_is_refused(client):
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = await client.post("/v1/auth/login", content=b"{}", headers=headers)
    assert (answer.status_code, answer.headers["accept-post"]) == (415, "application/json")
    assert answer.json()["detail"] == "The body must be application/json, without a Content-Encoding"


async def test_a_compressed_patch_is_told_what_a_patch_may_be(customer):
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/merge-patch+json"}
    answer = await customer.patch("/v1/me", content=b"{}", headers=headers)
    assert answer.headers["accept-patch"] == "application/merge-patch+json, application/json"
    assert "accept-post" not in answer.headers


async def test_a_product_may_be_kept_and_asked_for_again_and_a_person_may_not(admin, client):
    body = {"sku": "A-1", "name": "Mug", "status": "active", "price": {"amount": 1, "currency": "BDT"}}
    made = await admin.post("/v1/products", json=body)
    assert (await client.get(made.headers["location"])).headers["cache-control"] == "private, no-cache"
    assert (await admin.get("/v1/me")).headers["cache-control"] == "no-store"


async def test_empty_members_of_a_list_of_tags_count_for_nothing(admin):
    tag = (await admin.get("/v1/me")).headers["etag"]
    for known in (f"{tag},,", f" , {tag}", f'"0",, {tag} ,'):
        assert (await admin.get("/v1/me", headers={"If-None-Match": known})).status_code == 304
