"""`GET /v1/audit`: who reads it, what is in it, and in which order."""

import pytest
from tests.conftest import register

from midrise.foundation.ids import new_id

pytestmark = pytest.mark.anyio

AUDIT = "/v1/audit"
OPEN = "/v1/config/registration.open"


@pytest.fixture
def entries(admin):
    """The entries that a list holds: `await entries(action="config:set")`."""

    async def entries(**parameters):
        answer = await admin.get(AUDIT, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]

    return entries


async def test_only_who_may_reads_it(client, customer, admin):
    assert (await client.get(AUDIT)).status_code == 401
    answer = await customer.get(AUDIT)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert (await admin.get(AUDIT)).status_code == 200


async def test_an_entry_says_who_did_what_to_what_when_and_from_where(admin, entries):
    me = (await admin.get("/v1/me")).json()
    answer = await admin.put(OPEN, json={"value": False}, headers={"X-Request-ID": "the-request"})
    (entry,) = await entries(action="config:set")
    assert entry.pop("id")
    assert entry.pop("created_at") >= answer.json()["updated_at"] > me["created_at"]
    assert entry == {
        "actor_id": me["id"],
        "api_key_id": None,
        "action": "config:set",
        "resource": "config:registration.open",
        "address": "127.0.0.1",
        "request_id": "the-request",
        "changes": {"value": {"from": True, "to": False}},
    }


async def test_what_the_program_did_has_no_actor(entries):
    (entry,) = await entries(action="user:created")
    assert (entry["actor_id"], entry["request_id"], entry["address"]) == (None, "system", "")


async def test_the_newest_comes_first(client, admin, entries):
    for value in (False, True, False):
        await admin.put(OPEN, json={"value": value})
    values = [entry["changes"]["value"]["to"] for entry in await entries(action="config:set")]
    assert values == [False, True, False]
    times = [entry["created_at"] for entry in await entries()]
    assert times == sorted(times, reverse=True)


async def test_a_change_that_was_refused_or_changed_nothing_has_no_entry(admin, entries):
    before = await entries()
    me = (await admin.get("/v1/me")).json()
    for attempt in (
        admin.put(OPEN, json={"value": True}, headers={"If-Match": '"7"'}),
        admin.put(OPEN, json={"value": "yes"}),
        admin.delete(OPEN),
        admin.patch("/v1/me", json={"name": me["name"]}),
        admin.put(f"/v1/users/{me['id']}/roles", json={"roles": []}),
        admin.delete("/v1/roles/customer"),
        admin.post("/v1/roles", json={"name": "customer", "permissions": []}),
    ):
        await attempt
    assert await entries() == before


async def test_filters_narrow_together(client, admin, entries):
    me = (await admin.get("/v1/me")).json()["id"]
    await register(client)
    await admin.put(OPEN, json={"value": False})
    await admin.delete(OPEN)

    async def actions(**parameters):
        return [entry["action"] for entry in await entries(**parameters)]

    assert await actions(resource="config:registration.open") == ["config:reset", "config:set"]
    assert await actions(resource="config:registration.open", action="config:set") == ["config:set"]
    assert await actions(actor_id=me, action="user:registered") == []
    assert await actions(actor_id=me) == ["config:reset", "config:set", "session:started"]
    assert await actions(actor_id=str(new_id())) == []
    assert await actions(resource="config:") == []


async def test_times_bound_it_the_first_included_the_last_not(admin, entries):
    for value in (False, True, False):
        await admin.put(OPEN, json={"value": value})
    third, second, first = [entry["created_at"] for entry in await entries(action="config:set")]

    async def times(**parameters):
        return [entry["created_at"] for entry in await entries(action="config:set", **parameters)]

    assert await times(since=second) == [third, second]
    assert await times(until=second) == [first]
    assert await times(since=second, until=third) == [second]
    assert await times(since=third, until=first) == []
    assert await times(since=second.replace("Z", "+00:00")) == [third, second]


@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    "time",
    [
        *("yesterday", "2026-11-23", "2026-11-23T04:05:06", "1764000000", "2026-13-01T00:00:00Z"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"),
    ],
)
async def test_a_time_that_is_none_is_named(admin, name, time):
    answer = await admin.get(AUDIT, params={name: time})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [name]


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"actor_id": "me"}, "invalid_parameters"),
        ({"action": "x" * 101}, "invalid_parameters"),
        ({"resource": "x" * 201}, "invalid_parameters"),
        ({"resource": "a\0"}, "invalid_parameters"),
        ({"sort": "created_at"}, "unknown_parameter"),
        ({"cursor": "nonsense"}, "invalid_cursor"),
    ],
)
async def test_a_bad_parameter_is_named(admin, parameters, code):
    answer = await admin.get(AUDIT, params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert [fault["parameter"] for fault in answer.json()["errors"]] == list(parameters)


async def test_pages_hold_every_entry_once_though_all_are_of_one_moment(admin, emptier):
    for value in (False, True) * 4:
        await admin.put(OPEN, json={"value": value})
    await emptier.execute("UPDATE audit_events SET created_at = now()")
    url, seen = f"{AUDIT}?limit=3&action=config:set", []
    while url:
        answer = await admin.get(url)
        seen += [entry["id"] for entry in answer.json()["items"]]
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert len(seen) == 8
    assert seen == sorted(set(seen), reverse=True)


async def test_a_cursor_belongs_to_its_query(admin):
    await admin.put(OPEN, json={"value": False})
    cursor = (await admin.get(AUDIT, params={"limit": 1})).json()["next_cursor"]
    answer = await admin.get(AUDIT, params={"cursor": cursor, "action": "config:set"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
    assert (await admin.get(AUDIT, params={"cursor": cursor, "limit": 1})).status_code == 200


async def test_nobody_changes_it(admin):
    for call in (admin.post, admin.put, admin.patch, admin.delete):
        assert (await call(AUDIT)).status_code == 405
