"""Whatever is done by any operation of the document, every answer that may be remembered is of after it.

Each is asked for by everybody until all of them come from the cache; then the operation is called, and they are
asked for again on two instances, and compared with those of one that can't reach the cache.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from inspect import isawaitable

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY
from tests.access.table import TABLE
from tests.access.world import ADMINISTRATOR, ANONYMOUS, OWNER, Ask, Caller, Case, Occasion, World
from tests.conftest import PASSWORD, client_of
from tests.foundation.waiting import until
from tests.modules.identity.mailbox import open_mailbox

pytestmark = pytest.mark.anyio

WRITES = [case for case in TABLE if not case.operation.startswith("GET")]


@dataclass
class Ways:
    """Two instances with the cache, and one without."""

    cached: Sequence[httpx.AsyncClient]
    true: httpx.AsyncClient


@dataclass(frozen=True)
class Question:
    path: str
    asker: Caller

    async def of(self, way: httpx.AsyncClient) -> tuple[int, str, str | None]:
        token = self.asker.client.headers.get("Authorization")
        answer = await way.get(self.path, headers={"Authorization": token} if token else {})
        # What a problem says of itself is made for each request.
        text = answer.text if answer.is_success else answer.json()["code"]
        return answer.status_code, text, answer.headers.get("etag")


@pytest.fixture
async def world(application, client, database_url) -> AsyncIterator[World]:
    connection = await asyncpg.connect(database_url)
    world = World(application, client, connection)
    await world.start()
    yield world
    await world.close()
    await connection.close()


@pytest.fixture
async def ways(application, start_application) -> AsyncIterator[Ways]:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(client_of(application))
        second = await start_application()
        yield Ways((first, second), await start_application(redis={"url": "redis://127.0.0.1:1"}))


async def questions(on: Occasion, ask: Ask) -> list[Question]:
    """Everything that may be remembered of what is in the call, and of what is not, by all sorts of people."""
    keeper = Caller(on.world.keeper)
    other = await on.world.product()
    product_id, slug = ask.in_path.get("product_id", other["id"]), ask.in_path.get("slug", other["slug"])
    if "product_id" in ask.in_path:
        slug = (await on.world.keeper.get(f"/v1/products/{product_id}")).json()["slug"]
    of_all = [
        *("/v1/products", "/v1/products?limit=100&sort=name", f"/v1/products/{product_id}"),
        *(f"/v1/products/by-slug/{slug}", "/v1/config", "/v1/config/registration.open"),
        *(f"/v1/users/{person.id}" for person in (on.caller, on.owner) if person.id),
        "/v1/me",
    ]
    visitor = await on.world.caller(ANONYMOUS)
    return [Question(path, asker) for path in of_all for asker in (keeper, visitor, on.caller, on.owner)]


def not_from_cache() -> float:
    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    return sum(
        sample.value
        for sample in samples
        if sample.name == "midrise_cache_answers_total"
        and sample.labels["outcome"] not in {"hit", "shared_hit"}
    )


async def warm(asked: Sequence[Question], ways: Ways) -> None:
    async def is_remembered() -> bool:
        before = not_from_cache()
        for question in asked:
            for way in ways.cached:
                await question.of(way)
        return not_from_cache() == before

    await until(is_remembered)


async def old_ones(asked: Sequence[Question], ways: Ways) -> list[str]:
    """What is answered from before."""
    found = []
    for question in asked:
        true = await question.of(ways.true)
        for number, way in enumerate([*ways.cached, *ways.cached]):
            answer = await question.of(way)
            if answer != true:
                found.append(f"{question.path} by {question.asker.email} on {number}: {answer} is not {true}")
    return found


@pytest.mark.parametrize("case", WRITES, ids=lambda case: case.name)
async def test_nothing_that_is_remembered_outlives_a_call(world: World, ways: Ways, case: Case) -> None:
    audience = next(each for each in (OWNER, ADMINISTRATOR, ANONYMOUS) if each in case.allowed)
    caller = await world.caller(audience)
    owner = caller if audience == OWNER else await world.caller(OWNER)
    on = Occasion(world, caller, owner)
    made = case.ask(on)
    ask = await made if isawaitable(made) else made
    asked = await questions(on, ask)
    await warm(asked, ways)
    method, _, path = case.operation.partition(" ")
    answer = await caller.client.request(method, path.format(**ask.in_path), json=ask.body, params=ask.query)
    assert answer.is_success or answer.status_code in case.also, answer.text
    assert await old_ones(asked, ways) == []


NAMES = ("verified", "changed address", "reset password")


@pytest.mark.parametrize("name", NAMES)
async def test_nor_does_it_outlive_what_a_mail_allows(
    world: World, ways: Ways, settings, tmp_path, name: str
) -> None:
    owner = await world.caller(OWNER)
    on = Occasion(world, await world.caller(ADMINISTRATOR), owner)
    async with open_mailbox(settings.model_copy(update={"home": tmp_path}), world.connection) as mailbox:
        address, path, more = owner.email, "/v1/auth/email/verify", {}
        if name == "changed address":
            address = f"new.{owner.email}"
            await owner.client.patch("/v1/me", json={"email": address, "password": PASSWORD})
        elif name == "reset password":
            await owner.client.post("/v1/auth/password/forgot", json={"email": address})
            path, more = "/v1/auth/password/reset", {"new_password": "seven slow trains at noon"}
        token = await mailbox.token_to(address)
        asked = await questions(on, Ask())
        await warm(asked, ways)
        answer = await owner.client.post(path, json={"token": token} | more)
        assert answer.status_code == 204, answer.text
        assert await old_ones(asked, ways) == []
