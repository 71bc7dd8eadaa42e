"""`GET /v1/users` and `/v1/users/{id}`: who sees whom."""

import pytest

pytestmark = pytest.mark.anyio

USERS = "/v1/users"


@pytest.fixture
def names(admin):
    """The names of the users that a list holds: `await names(q="khatun")`."""

    async def names(**parameters):
        answer = await admin.get(USERS, params=parameters)
        assert answer.status_code == 200, answer.text
        return [user["name"] for user in answer.json()["items"]]

    return names


async def test_only_who_may_sees_users(client, somebody):
    customer, support = await somebody(), await somebody(roles=["support"])
    for url in (USERS, f"{USERS}/{support.id}"):
        assert (await client.get(url)).status_code == 401
        answer = await customer.client.get(url)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert "users:read" in answer.json()["detail"]
        assert (await support.client.get(url)).status_code == 200


async def test_one_user_is_shown_with_its_tag(admin, somebody):
    person = await somebody()
    answer = await admin.get(f"{USERS}/{person.id}")
    assert answer.json() == (await person.client.get("/v1/me")).json()
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await admin.get(f"{USERS}/{person.id}", headers=known)).status_code == 304


@pytest.mark.parametrize("user_id", ["0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21", "0198a2b4", "me", "%00"])
async def test_a_user_that_does_not_exist_is_not_found(admin, user_id):
    answer = await admin.get(f"{USERS}/{user_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_newest_come_first(somebody, names):
    for name in ("One", "Two", "Three"):
        await somebody(name=name)
    assert await names() == ["Three", "Two", "One", "Admin"]


async def test_filters_narrow_together(somebody, names, connection):
    for name, roles in (("One", ["manager"]), ("Two", ["manager", "support"]), ("Three", ["customer"])):
        await somebody(name=name, roles=roles, email=f"{name}@midrise.test")
    await connection.execute("UPDATE users SET is_active = false WHERE name = 'One'")
    assert await names(role="manager") == ["Two", "One"]
    assert await names(role="manager", is_active="false") == ["One"]
    assert await names(role="manager", is_active="true", q="t") == ["Two"]
    assert await names(email="THREE@Midrise.test") == ["Three"]
    assert await names(email="three@midrise") == []
    assert await names(role="no-such-role") == []


async def test_a_part_of_name_or_address_finds(somebody, names):
    everybody = ["Rahima Khatun", "Straße 5", "RÉMI 100%", "আয়েশা খাতুন", "a_b\\c"]
    for name in everybody:
        await somebody(name=name)
    for q, found in {
        "khatun": ["Rahima Khatun"],
        "KHAT": ["Rahima Khatun"],
        "STRASSE": ["Straße 5"],
        "remi": [],
        "re\u0301mi": ["RÉMI 100%"],
        "খাতুন": ["আয়েশা খাতুন"],
        "আ": ["আয়েশা খাতুন"],
        "100%": ["RÉMI 100%"],
        "%": ["RÉMI 100%"],
        "_": ["a_b\\c"],
        "b\\": ["a_b\\c"],
        "@midrise.test": [*reversed(everybody), "Admin"],
        "' OR 1=1 --": [],
    }.items():
        assert await names(q=q) == found, q


async def test_a_name_that_changed_is_found_by_the_new_one(customer, names):
    await customer.patch("/v1/me", json={"name": "Ayesha"})
    assert await names(q="ayesha") == ["Ayesha"]
    assert await names(q="rahima") == []


async def test_pages_hold_everybody_once_though_they_came_at_one_moment(admin, somebody, connection):
    expected = {(await somebody()).id for _ in range(7)}
    await connection.execute("UPDATE users SET created_at = now()")
    url, seen = f"{USERS}?limit=2", []
    while url:
        answer = await admin.get(url)
        assert len(answer.json()["items"]) == 2
        seen += [user["id"] for user in answer.json()["items"]]
        url = answer.links["next"]["url"] if "next" in answer.links else None
    assert len(seen) == 8
    assert set(seen) > expected
    assert seen == sorted(seen, reverse=True)


async def test_who_comes_between_two_pages_moves_nobody(admin, somebody):
    people = [await somebody() for _ in range(3)]
    first = await admin.get(USERS, params={"limit": 2})
    await somebody()
    second = await admin.get(first.links["next"]["url"])
    seen = [user["id"] for page in (first, second) for user in page.json()["items"]]
    assert seen[:3] == [person.id for person in reversed(people)]


async def test_a_cursor_belongs_to_its_query(admin, somebody):
    for _ in range(3):
        await somebody()
    cursor = (await admin.get(USERS, params={"limit": 1, "role": "customer"})).json()["next_cursor"]
    for other in ({}, {"role": "manager"}, {"role": "customer", "q": "a"}):
        answer = await admin.get(USERS, params={"cursor": cursor} | other)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
    forged = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    answer = await admin.get(USERS, params={"cursor": forged, "role": "customer"})
    assert answer.json()["code"] == "invalid_cursor"
    answer = await admin.get("/v1/roles", params={"cursor": cursor})
    assert answer.json()["code"] == "invalid_cursor"
    assert (
        await admin.get(USERS, params={"cursor": cursor, "role": "customer", "limit": 5})
    ).status_code == 200


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"limit": 0}, "invalid_parameters"),
        ({"limit": 101}, "invalid_parameters"),
        ({"is_active": "perhaps"}, "invalid_parameters"),
        ({"q": ""}, "invalid_parameters"),
        ({"q": "x" * 101}, "invalid_parameters"),
        ({"q": "a\0b"}, "invalid_parameters"),
        ({"email": "x" * 255}, "invalid_parameters"),
        ({"sort": "name"}, "unknown_parameter"),
    ],
)
async def test_a_bad_parameter_is_named(admin, parameters, code):
    answer = await admin.get(USERS, params=parameters)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert [fault["parameter"] for fault in answer.json()["errors"]] == list(parameters)


async def test_nothing_shows_a_password(admin, somebody):
    await somebody()
    text = (await admin.get(USERS)).text
    assert "password" not in text
    assert "$2b$" not in text
