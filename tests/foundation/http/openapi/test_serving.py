"""`/openapi.json`."""

import pytest

pytestmark = pytest.mark.anyio


async def test_anyone_gets_the_document(client):
    answer = await client.get("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["openapi"].startswith("3.1")
    assert answer.json()["info"]["title"] == "Midrise"


async def test_who_has_it_does_not_get_it_again(client):
    first = await client.get("/openapi.json")
    again = await client.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == "no-cache"


async def test_every_server_of_a_version_gives_the_same_bytes(client, start_application):
    other = await start_application()
    assert (await other.get("/openapi.json")).content == (await client.get("/openapi.json")).content


async def test_the_framework_serves_no_document_of_its_own(client):
    for path in ("/schema", "/schema/openapi.json", "/schema/swagger"):
        assert (await client.get(path)).status_code == 404
