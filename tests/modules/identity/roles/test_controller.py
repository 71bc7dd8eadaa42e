"""`/v1/roles` and `/v1/permissions`."""

import asyncio
from collections import Counter

import pytest

pytestmark = pytest.mark.anyio

ROLES = "/v1/roles"
BUILT_IN = ["administrator", "customer", "manager", "support"]
SHIPPING = {"name": "shipping", "description": "Sends orders out", "permissions": ["stock:write"]}


@pytest.fixture
async def shipping(admin):
    """A role, and the answer to its creation."""
    return await admin.post(ROLES, json=SHIPPING)


async def actions(admin):
    """What the audit says of roles, the oldest first."""
    items = (await admin.get("/v1/audit")).json()["items"]
    return [
        (each["action"], each["changes"]) for each in reversed(items) if each["resource"].startswith("role:")
    ]


async def test_the_roles_from_the_start_are_there(admin):
    items = (await admin.get(ROLES)).json()["items"]
    assert [role["name"] for role in items] == BUILT_IN
    assert [role["name"] for role in items if role["built_in"]] == ["administrator", "customer"]
    allowed = {role["name"]: role["permissions"] for role in items}
    declared = (await admin.get("/v1/permissions", params={"limit": 100})).json()["items"]
    assert allowed["administrator"] == [permission["name"] for permission in declared]
    assert allowed["customer"] == []
    assert allowed["manager"] == ["products:read", "products:write", "stock:write"]


async def test_every_permission_is_listed_by_name(admin):
    pages, url = [], "/v1/permissions?limit=3"
    while url:
        answer = await admin.get(url)
        pages += answer.json()["items"]
        url = answer.links["next"]["url"] if "next" in answer.links else None
    names = [permission["name"] for permission in pages]
    assert names == sorted(set(names))
    assert {"users:read", "roles:assign", "audit:read", "products:write", "config:write"} <= set(names)
    assert all(permission["description"] for permission in pages)


async def test_a_created_role_is_shown_and_listed(admin, shipping):
    assert (shipping.status_code, shipping.headers["location"]) == (201, "/v1/roles/shipping")
    shown = await admin.get(shipping.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (shipping.json(), '"1"')
    times = {name: shown.json()[name] for name in ("created_at", "updated_at")}
    assert shown.json() == SHIPPING | times | {"built_in": False}
    page = await admin.get(ROLES, params={"limit": 4})
    rest = await admin.get(page.links["next"]["url"])
    names = [role["name"] for answer in (page, rest) for role in answer.json()["items"]]
    assert names == sorted([*BUILT_IN, "shipping"])


async def test_a_known_state_is_not_sent_again(admin, shipping):
    answer = await admin.get(f"{ROLES}/shipping", headers={"If-None-Match": shipping.headers["etag"]})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_what_a_patch_names_changes_and_the_rest_stays(admin, shipping):
    before = shipping.json()
    for patch in (
        {"description": ""},
        {"permissions": ["products:read", "audit:read", "products:read"]},
        {"permissions": [], "description": "Nothing"},
    ):
        answer = await admin.patch(f"{ROLES}/shipping", json=patch)
        assert answer.status_code == 200
        after = {
            name: sorted(set(value)) if isinstance(value, list) else value for name, value in patch.items()
        }
        assert answer.json() == before | after | {"updated_at": answer.json()["updated_at"]}
        assert (await admin.get(f"{ROLES}/shipping")).json() == answer.json()
        before = answer.json()
    assert answer.headers["etag"] == '"4"'


async def test_permissions_are_a_set_in_order(admin, shipping):
    patch = {"permissions": ["products:read", "audit:read", "products:read"]}
    answer = await admin.patch(f"{ROLES}/shipping", json=patch)
    assert answer.json()["permissions"] == ["audit:read", "products:read"]


async def test_a_patch_that_changes_nothing_leaves_version_and_audit(admin, shipping):
    for patch in ({}, {"permissions": ["stock:write", "stock:write"], "description": "Sends orders out"}):
        answer = await admin.patch(f"{ROLES}/shipping", json=patch)
        assert (answer.json(), answer.headers["etag"]) == (shipping.json(), '"1"')
    assert len(await actions(admin)) == 1


async def test_a_deleted_role_is_gone(admin, shipping):
    answer = await admin.delete(f"{ROLES}/shipping")
    assert (answer.status_code, answer.content) == (204, b"")
    for call in (admin.get, admin.delete):
        assert (await call(f"{ROLES}/shipping")).status_code == 404
    assert (await admin.patch(f"{ROLES}/shipping", json={})).status_code == 404


async def test_every_change_is_in_the_audit(admin, shipping):
    await admin.patch(f"{ROLES}/shipping", json={"permissions": []})
    await admin.delete(f"{ROLES}/shipping")
    assert await actions(admin) == [
        ("role:created", {"description": "Sends orders out", "permissions": ["stock:write"]}),
        ("role:changed", {"permissions": {"from": ["stock:write"], "to": []}}),
        ("role:deleted", {"description": "Sends orders out", "permissions": []}),
    ]


async def test_a_changed_role_counts_from_the_next_request_on_every_instance(admin, somebody, other_instance):
    person = await somebody(roles=["support"])
    assert (await other_instance.get("/v1/audit", headers=person.headers)).status_code == 200
    await admin.patch(f"{ROLES}/support", json={"permissions": ["users:read"]})
    assert (await other_instance.get("/v1/audit", headers=person.headers)).status_code == 403
    assert (await other_instance.get("/v1/users", headers=person.headers)).status_code == 200


async def test_a_name_is_taken_once(admin, other_instance, shipping):
    for name in ("shipping", "customer"):
        answer = await admin.post(ROLES, json=SHIPPING | {"name": name})
        assert (answer.status_code, answer.json()["code"]) == (409, "role_taken")
    assert len(await actions(admin)) == 1
    answers = await asyncio.gather(*(admin.post(ROLES, json=SHIPPING | {"name": "x"}) for _ in range(8)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}


async def test_built_in_roles_are_not_deleted(admin):
    for name in ("administrator", "customer"):
        answer = await admin.delete(f"{ROLES}/{name}")
        assert (answer.status_code, answer.json()["code"]) == (409, "role_built_in")


async def test_the_other_roles_from_the_start_may_be(admin):
    for name in ("manager", "support"):
        assert (await admin.delete(f"{ROLES}/{name}")).status_code == 204


async def test_an_administrator_may_do_everything_for_ever(admin):
    for permissions in ([], ["users:read"]):
        answer = await admin.patch(f"{ROLES}/administrator", json={"permissions": permissions})
        assert (answer.status_code, answer.json()["code"]) == (409, "role_built_in")
    answer = await admin.patch(f"{ROLES}/administrator", json={"description": "Us"})
    assert (answer.status_code, answer.json()["description"]) == (200, "Us")
    assert "users:write" in answer.json()["permissions"]


async def test_a_change_for_an_old_state_is_refused(admin, shipping):
    old = {"If-Match": '"0"'}
    for attempt in (
        admin.patch(f"{ROLES}/shipping", json={"description": "Late"}, headers=old),
        admin.delete(f"{ROLES}/shipping", headers=old),
    ):
        answer = await attempt
        assert (answer.status_code, answer.headers["etag"]) == (412, '"1"')
    assert (await admin.delete(f"{ROLES}/shipping", headers={"If-Match": '"1"'})).status_code == 204


async def test_permissions_that_nobody_declares_are_each_named(admin, shipping):
    wrong = {"permissions": ["stock:write", "teapots:brew", "stock:*"]}
    for attempt in (
        admin.post(ROLES, json=SHIPPING | {"name": "x"} | wrong),
        admin.patch(f"{ROLES}/shipping", json=wrong),
    ):
        answer = await attempt
        assert answer.status_code == 422
        assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
            ("/permissions/1", "unknown_reference"),
            ("/permissions/2", "unknown_reference"),
        ]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"name": ""}, ("/name", "too_short")),
        ({"name": "x" * 65}, ("/name", "too_long")),
        ({"name": "Shipping"}, ("/name", "wrong_format")),
        ({"name": "shipping\n"}, ("/name", "wrong_format")),
        ({"name": "a/b"}, ("/name", "wrong_format")),
        ({"description": "x" * 501}, ("/description", "too_long")),
        ({"description": None}, ("/description", "wrong_type")),
        ({"permissions": "stock:write"}, ("/permissions", "wrong_type")),
        ({"permissions": ["x" * 101]}, ("/permissions/0", "too_long")),
        ({"built_in": True}, ("/built_in", "unknown_field")),
    ],
)
async def test_a_bad_field_is_named(admin, fields, fault):
    answer = await admin.post(ROLES, json=SHIPPING | fields)
    assert answer.status_code == 422
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [fault]
