"""Administrators, as a command makes them."""

import pytest
from tests.conftest import PASSWORD
from tests.modules.identity.conftest import log_in

from midrise.app import create_administrator
from midrise.foundation.errors import Invalid
from midrise.modules.identity.users.model import EmailTaken

pytestmark = pytest.mark.anyio


@pytest.fixture
def create(settings, database_url):
    async def create(email="boss@midrise.test", *, password=PASSWORD, if_none=False):
        return await create_administrator(settings, email=email, name="B", password=password, if_none=if_none)

    return create


async def test_an_administrator_that_was_made_logs_in_and_may_everything(create, client):
    assert await create()
    token = (await log_in(client, "boss@midrise.test")).json()["access_token"]
    me = await client.get("/v1/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["roles"] == ["administrator"]


async def test_none_is_made_where_there_is_one(create, connection):
    assert await create(if_none=True)
    assert not await create("other@midrise.test", if_none=True)
    assert await connection.fetchval("SELECT count(*) FROM users") == 1


async def test_one_who_is_disabled_is_none(create, connection):
    await create()
    await connection.execute("UPDATE users SET is_active = false")
    assert await create("other@midrise.test", if_none=True)


async def test_the_rules_are_those_of_everybody(create):
    with pytest.raises(Invalid) as refused:
        await create("boss", password="short")
    assert [fault.pointer for fault in refused.value.faults] == ["/email", "/password"]
    await create()
    with pytest.raises(EmailTaken):
        await create("BOSS@midrise.test")
