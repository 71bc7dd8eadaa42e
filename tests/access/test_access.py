"""Every operation of the document is called by nobody, by another customer, by each role and by the owner.

Who may is let through, who may not is told so by 401, 403 or 404, and the second shows in nothing but the
answer: what they asked to change is as it was.
"""

from collections.abc import AsyncIterator
from inspect import isawaitable

import asyncpg
import httpx
import pytest
from tests.access.table import TABLE
from tests.access.world import AUDIENCES, OWNER, Case, Occasion, World

pytestmark = pytest.mark.anyio

EVERY_ROW = """
SELECT string_agg(each::text, '' ORDER BY each::text) FROM (
  SELECT to_jsonb(users) - 'version' AS each FROM users UNION ALL SELECT to_jsonb(user_roles) FROM user_roles
  UNION ALL SELECT to_jsonb(roles) FROM roles UNION ALL SELECT to_jsonb(products) FROM products
  UNION ALL SELECT to_jsonb(sessions) FROM sessions UNION ALL SELECT to_jsonb(config_values) FROM config_values
  UNION ALL SELECT to_jsonb(api_keys) - 'last_used_at' FROM api_keys
  UNION ALL SELECT to_jsonb(audit_events) FROM audit_events
) AS everything
"""


@pytest.fixture
async def world(application, client, database_url) -> AsyncIterator[World]:
    connection = await asyncpg.connect(database_url)
    world = World(application, client, connection)
    await world.start()
    yield world
    await world.close()
    await connection.close()


async def called(case: Case, on: Occasion) -> httpx.Response:
    asked = case.ask(on)
    ask = await asked if isawaitable(asked) else asked
    method, _, path = case.operation.partition(" ")
    before = await on.world.connection.fetchval(EVERY_ROW)
    answer = await on.caller.client.request(method, path.format(**ask.in_path), json=ask.body, params=ask.query)
    if answer.status_code in {401, 403, 404}:
        assert await on.world.connection.fetchval(EVERY_ROW) == before, "it was refused and done all the same"
    return answer


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
async def test_a_door_opens_for_those_who_may_and_for_nobody_else(world: World, case: Case) -> None:
    wrong = []
    for audience in AUDIENCES:
        caller = await world.caller(audience)
        owner = caller if audience == OWNER else await world.caller(OWNER)
        answer = await called(case, Occasion(world, caller, owner))
        if audience in case.allowed:
            is_right = answer.is_success or answer.status_code in case.also
        else:
            is_right = answer.status_code == case.status_of_refusal(audience)
        if not is_right:
            wrong.append(f"{audience}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []
