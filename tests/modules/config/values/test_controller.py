"""`/v1/config`: who sees and changes what."""

import pytest

pytestmark = pytest.mark.anyio

OPEN = "/v1/config/registration.open"


async def test_anyone_reads_a_public_key(client):
    answer = await client.get(OPEN)
    assert (answer.status_code, answer.headers["etag"]) == (200, '"0"')
    shown = answer.json()
    assert shown.pop("description")
    assert shown == {
        "key": "registration.open",
        "value": True,
        "default": True,
        "type": "boolean",
        "public": True,
        "updated_at": None,
    }


async def test_a_key_that_does_not_exist_is_not_found(client, admin):
    for caller in (client, admin):
        assert (await caller.get("/v1/config/registration.shut")).status_code == 404
    assert (await admin.put("/v1/config/registration.shut", json={"value": 1})).status_code == 404
    assert (await admin.delete("/v1/config/registration.shut")).status_code == 404


async def test_a_value_is_in_force_with_the_next_request(client, admin):
    answer = await admin.put(OPEN, json={"value": False})
    assert (answer.status_code, answer.json()["value"], answer.headers["etag"]) == (200, False, '"1"')
    assert answer.json()["updated_at"].endswith("Z")
    assert (await client.get(OPEN)).json()["value"] is False


async def test_the_default_comes_back(client, admin):
    await admin.put(OPEN, json={"value": False})
    answer = await admin.delete(OPEN)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get(OPEN)).json()["value"] is True


async def test_only_who_may_changes_it(client, customer):
    assert (await client.put(OPEN, json={"value": False})).status_code == 401
    for attempt in (customer.put(OPEN, json={"value": False}), customer.delete(OPEN)):
        answer = await attempt
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"value": "yes"}, [("/value", "wrong_type")]),
        ({"value": 1}, [("/value", "wrong_type")]),
        ({"value": None}, [("/value", "wrong_type")]),
        ({"value": [True]}, [("/value", "wrong_type")]),
        ({"value": "x" * 10_001}, [("/value", "too_long")]),
        ({}, [("/value", "missing")]),
        ({"valeu": True}, [("/value", "missing"), ("/valeu", "unknown_field")]),
    ],
)
async def test_a_value_of_another_type_is_refused(admin, body, errors):
    answer = await admin.put(OPEN, json=body)
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == errors


async def test_a_known_state_is_not_sent_again(client, admin):
    assert (await client.get(OPEN, headers={"If-None-Match": '"0"'})).status_code == 304
    await admin.put(OPEN, json={"value": False})
    assert (await client.get(OPEN, headers={"If-None-Match": '"0"'})).status_code == 200


async def test_a_change_for_an_old_state_is_refused(admin):
    assert (await admin.put(OPEN, json={"value": False}, headers={"If-Match": '"0"'})).status_code == 200
    for attempt in (
        admin.put(OPEN, json={"value": True}, headers={"If-Match": '"0"'}),
        admin.delete(OPEN, headers={"If-Match": '"0"'}),
    ):
        answer = await attempt
        assert (answer.status_code, answer.headers["etag"]) == (412, '"1"')


async def test_the_list_holds_what_the_caller_may_see(client, admin):
    seen = {entry["key"] for entry in (await client.get("/v1/config")).json()["items"]}
    everything = (await admin.get("/v1/config")).json()["items"]
    assert seen == {entry["key"] for entry in everything if entry["public"]}
    assert [entry["key"] for entry in everything] == sorted(entry["key"] for entry in everything)
    assert "registration.open" in seen


async def test_a_change_is_in_the_audit(admin):
    await admin.put(OPEN, json={"value": False})
    entry = (await admin.get("/v1/audit", params={"action": "config:set"})).json()["items"][0]
    assert entry["resource"] == "config:registration.open"
    assert entry["changes"] == {"value": {"from": True, "to": False}}
