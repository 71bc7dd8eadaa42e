"""Every operation of the OpenAPI document, and who may call it: held by `tests/access/test_access.py`.

A new operation is entered here, with a line for each kind of object that it treats differently. Whoever is not
named as allowed must be refused; what belongs to somebody is called by its owner, by another customer and by
each role.
"""

import secrets
from typing import Any

from tests.access.world import (
    ADMINISTRATOR,
    EVERYBODY,
    IN_PERSON,
    KNOWN,
    MANAGER,
    OWNER,
    PROGRAM,
    SUPPORT,
    Ask,
    Case,
    Occasion,
)
from tests.conftest import PASSWORD

ADMINISTRATORS = frozenset({ADMINISTRATOR, PROGRAM})
READERS_OF_PEOPLE = frozenset({SUPPORT, ADMINISTRATOR, PROGRAM})
KEEPERS_OF_PRODUCTS = frozenset({MANAGER, ADMINISTRATOR, PROGRAM})
NOT_FOUND = dict.fromkeys(IN_PERSON, 404)
HIDDEN = dict.fromkeys(EVERYBODY, 404)


def plain(_: Occasion) -> Ask:
    return Ask()


def body(**fields: Any) -> Any:
    return lambda _: Ask(body=fields)


def of_owner(**fields: Any) -> Any:
    """On the account of somebody else, or, if the owner calls, their own."""
    return lambda on: Ask({"user_id": on.owner.id}, fields or None)


def log_in(on: Occasion) -> Ask:
    return Ask(body={"email": on.owner.email, "password": PASSWORD})


def refresh(on: Occasion) -> Ask:
    return Ask(body={"refresh_token": on.owner.tokens["refresh_token"]})


def new_account(_: Occasion) -> Ask:
    email = f"{secrets.token_hex(8)}@midrise.test"
    return Ask(body={"email": email, "password": PASSWORD, "name": "Rahima Khatun"})


def new_product(_: Occasion) -> Ask:
    sku = secrets.token_hex(8)
    return Ask(body={"sku": sku, "name": sku, "price": {"amount": 1, "currency": "BDT"}})


def new_role(_: Occasion) -> Ask:
    return Ask(body={"name": f"r{secrets.token_hex(8)}", "permissions": []})


async def session_of_owner(on: Occasion) -> Ask:
    (session,) = (await on.owner.client.get("/v1/auth/sessions")).json()["items"]
    return Ask({"session_id": session["id"]})


async def key_of_owner(on: Occasion) -> Ask:
    key = await on.owner.client.post("/v1/auth/api-keys", json={"name": "program", "permissions": []})
    return Ask({"api_key_id": key.json()["id"]})


def a_product(changes: dict[str, Any] | None = None, **fields: Any) -> Any:
    async def ask(on: Occasion) -> Ask:
        return Ask({"product_id": (await on.world.product(**fields))["id"]}, changes)

    return ask


def a_slug(**fields: Any) -> Any:
    async def ask(on: Occasion) -> Ask:
        return Ask({"slug": (await on.world.product(**fields))["slug"]})

    return ask


def a_role(changes: dict[str, Any] | None = None) -> Any:
    async def ask(on: Occasion) -> Ask:
        return Ask({"name": (await on.world.role())["name"]}, changes)

    return ask


PASSWORDS = {"current_password": PASSWORD, "new_password": "seven slow trains at noon"}
KEY = {"key": "registration.open"}

OPERATION = [
    Case(f"GET {path}", EVERYBODY, plain)
    for path in ("/livez", "/readyz", "/openapi.json", "/errors", "/.well-known/jwks.json")
]

SESSIONS = [
    Case("POST /v1/auth/register", EVERYBODY, new_account),
    Case("POST /v1/auth/login", EVERYBODY, log_in),
    Case("POST /v1/auth/refresh", EVERYBODY, refresh),
    Case("POST /v1/auth/logout", IN_PERSON, plain),
    Case("POST /v1/auth/logout-all", IN_PERSON, plain),
    Case("GET /v1/auth/sessions", IN_PERSON, plain),
    Case("DELETE /v1/auth/sessions/{session_id}", frozenset({OWNER}), session_of_owner, others=NOT_FOUND),
    Case("GET /v1/auth/api-keys", IN_PERSON, plain),
    Case("POST /v1/auth/api-keys", IN_PERSON, body(name="program", permissions=[])),
    Case("DELETE /v1/auth/api-keys/{api_key_id}", frozenset({OWNER}), key_of_owner, others=NOT_FOUND),
    Case("POST /v1/auth/password/change", IN_PERSON, body(**PASSWORDS)),
]

MAILS = [
    # Nobody was mailed that token: 422 tells that they came through.
    Case("POST /v1/auth/email/verify", EVERYBODY, body(token="x"), also=frozenset({422})),
    Case("POST /v1/auth/email/verify/resend", IN_PERSON, plain),
    Case("POST /v1/auth/password/forgot", EVERYBODY, body(email="rahima@midrise.test")),
    Case("POST /v1/auth/password/reset", EVERYBODY, body(token="x", new_password="x"), also=frozenset({422})),
]

SECOND_FACTORS = [
    Case("POST /v1/auth/mfa/totp", IN_PERSON, plain),
    # Nobody has set one up: 409 tells that they came through.
    Case("POST /v1/auth/mfa/totp/confirm", IN_PERSON, body(otp="000000"), also=frozenset({409})),
    Case(
        "POST /v1/auth/mfa/totp/disable",
        IN_PERSON,
        body(password=PASSWORD, otp="000000"),
        also=frozenset({409}),
    ),
]

PEOPLE = [
    Case("GET /v1/me", KNOWN, plain),
    Case("PATCH /v1/me", IN_PERSON, body(name="Karim")),
    Case("DELETE /v1/me", IN_PERSON, plain),
    Case("GET /v1/me/export", IN_PERSON, plain),
    Case("GET /v1/me/permissions", KNOWN, plain),
    Case("GET /v1/users", READERS_OF_PEOPLE, plain),
    Case("POST /v1/users", ADMINISTRATORS, new_account),
    Case("GET /v1/users/{user_id}", READERS_OF_PEOPLE, of_owner()),
    Case("PATCH /v1/users/{user_id}", ADMINISTRATORS, of_owner(name="Karim")),
    Case("DELETE /v1/users/{user_id}", ADMINISTRATORS, of_owner()),
    Case("PUT /v1/users/{user_id}/roles", ADMINISTRATORS, of_owner(roles=["support"])),
    Case("GET /v1/roles", READERS_OF_PEOPLE, plain),
    Case("POST /v1/roles", ADMINISTRATORS, new_role),
    Case("GET /v1/roles/{name}", READERS_OF_PEOPLE, a_role()),
    Case("PATCH /v1/roles/{name}", ADMINISTRATORS, a_role({"description": "Sends orders out"})),
    Case("DELETE /v1/roles/{name}", ADMINISTRATORS, a_role()),
    Case("GET /v1/permissions", READERS_OF_PEOPLE, plain),
]

CATALOGUE = [
    Case("GET /v1/products", EVERYBODY, plain),
    Case("POST /v1/products", KEEPERS_OF_PRODUCTS, new_product),
    Case("GET /v1/products/{product_id}", EVERYBODY, a_product()),
    Case(
        "GET /v1/products/{product_id}",
        KEEPERS_OF_PRODUCTS,
        a_product(status="draft"),
        others=HIDDEN,
        note="of a draft",
    ),
    Case("GET /v1/products/by-slug/{slug}", EVERYBODY, a_slug()),
    Case(
        "GET /v1/products/by-slug/{slug}",
        KEEPERS_OF_PRODUCTS,
        a_slug(status="archived"),
        others=HIDDEN,
        note="of what is archived",
    ),
    Case("PATCH /v1/products/{product_id}", KEEPERS_OF_PRODUCTS, a_product({"name": "Mug"})),
    Case("DELETE /v1/products/{product_id}", KEEPERS_OF_PRODUCTS, a_product()),
]

CONFIGURATION = [
    Case("GET /v1/config", EVERYBODY, plain),
    Case("GET /v1/config/{key}", EVERYBODY, lambda _: Ask(KEY)),
    Case("PUT /v1/config/{key}", ADMINISTRATORS, lambda _: Ask(KEY, {"value": True})),
    Case("DELETE /v1/config/{key}", ADMINISTRATORS, lambda _: Ask(KEY)),
    Case("GET /v1/audit", READERS_OF_PEOPLE, plain),
    Case("GET /errors/{code}", EVERYBODY, lambda _: Ask({"code": "not_found"})),
]

TABLE = [*OPERATION, *SESSIONS, *MAILS, *SECOND_FACTORS, *PEOPLE, *CATALOGUE, *CONFIGURATION]
