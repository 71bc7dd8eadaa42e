"""The people who knock at every door, and what lies behind the doors."""

import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
from tests.conftest import PASSWORD, client_of, register

from midrise.foundation.http.lifespan import LivingApp

ANONYMOUS, ANOTHER, OWNER = "anonymous", "another", "owner"
SUPPORT, MANAGER, ADMINISTRATOR = "support", "manager", "administrator"
PROGRAM, WEAK_PROGRAM = "program", "weak program"
AUDIENCES = (ANONYMOUS, ANOTHER, SUPPORT, MANAGER, ADMINISTRATOR, PROGRAM, WEAK_PROGRAM, OWNER)
"""Nobody; a customer; one of each other role; an administrator's API keys, one that allows everything and one
that allows nothing; and a customer whom the object belongs to."""

EVERYBODY = frozenset(AUDIENCES)
KNOWN = EVERYBODY - {ANONYMOUS}
IN_PERSON = KNOWN - {PROGRAM, WEAK_PROGRAM}


@dataclass
class Caller:
    """Somebody with a session, or nobody with none."""

    client: httpx.AsyncClient
    id: str = ""
    email: str = ""
    tokens: dict[str, Any] = field(default_factory=dict)


class World:
    """Makes people and objects, each new for every call, so that no call spoils another."""

    def __init__(self, app: LivingApp, visitor: httpx.AsyncClient, connection: asyncpg.Connection) -> None:
        self._app = app
        self._visitor = visitor
        self._stack = AsyncExitStack()
        self.connection = connection

    async def start(self) -> None:
        self.keeper = (await self._person("administrator")).client
        """An administrator who prepares things, and is none of the audiences."""

    async def caller(self, audience: str) -> Caller:
        """A new one of the audience."""
        if audience == ANONYMOUS:
            return Caller(self._visitor)
        if audience in {PROGRAM, WEAK_PROGRAM}:
            return await self._program(allows_all=audience == PROGRAM)
        return await self._person("customer" if audience in {ANOTHER, OWNER} else audience)

    async def product(self, **fields: Any) -> dict[str, Any]:
        sku = secrets.token_hex(8)
        body = {"sku": sku, "name": sku, "price": {"amount": 1, "currency": "BDT"}, "status": "active"} | fields
        return await self._made("/v1/products", body)

    async def role(self) -> dict[str, Any]:
        return await self._made("/v1/roles", {"name": f"r{secrets.token_hex(8)}", "permissions": []})

    async def close(self) -> None:
        await self._stack.aclose()

    async def _made(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.keeper.post(path, json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def _program(self, *, allows_all: bool) -> Caller:
        owner = await self._person("administrator")
        may = (await owner.client.get("/v1/me/permissions")).json()["permissions"]
        body = {"name": "program", "permissions": may if allows_all else []}
        answer = await owner.client.post("/v1/auth/api-keys", json=body)
        client = client_of(self._app, token=answer.json()["key"])
        return Caller(await self._stack.enter_async_context(client), owner.id, owner.email, owner.tokens)

    async def _person(self, role: str) -> Caller:
        email = await register(self._visitor)
        user_id = await self.connection.fetchval("SELECT id FROM users WHERE email = $1", email)
        await self.connection.execute("UPDATE user_roles SET role_name = $2 WHERE user_id = $1", user_id, role)
        answer = await self._visitor.post("/v1/auth/login", json={"email": email, "password": PASSWORD})
        tokens = answer.json()
        client = client_of(self._app, token=tokens["access_token"])
        return Caller(await self._stack.enter_async_context(client), str(user_id), email, tokens)


@dataclass(frozen=True)
class Ask:
    """How an operation is called: what stands in its path, and its body or query."""

    in_path: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Occasion:
    """What a call can be made of: the caller, the owner of what is called, and a world to make more in."""

    world: World
    caller: Caller
    owner: Caller


@dataclass(frozen=True)
class Case:
    """Who may do something, and what the others are told.

    ``others`` names the status of those that are not allowed: unless it says otherwise, 401 for who is
    anonymous and 403 for the rest. ``also`` are statuses besides success that show that an allowed caller came
    through to the operation itself.
    """

    operation: str
    allowed: frozenset[str]
    ask: Callable[[Occasion], Any]
    others: dict[str, int] = field(default_factory=dict)
    also: frozenset[int] = frozenset()
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.operation} {self.note}".strip()

    def status_of_refusal(self, audience: str) -> int:
        return self.others.get(audience, 401 if audience == ANONYMOUS else 403)
