"""An entry is there with its change, or not at all."""

from enum import StrEnum

import pytest

from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, PoolSettings
from midrise.foundation.ids import new_id
from midrise.foundation.paging import PageRequest
from midrise.modules.audit.events.model import AuditEventFilter
from midrise.modules.audit.events.repository import PostgresAuditEvents
from midrise.modules.audit.events.service import AuditTrail

pytestmark = pytest.mark.anyio

ACTOR = Actor(address="203.0.113.7", request_id="the-request", user_id=new_id())


class TeapotAction(StrEnum):
    BREWED = "teapot:brewed"


@pytest.fixture
async def database(database_url):
    database = Database.on_one_server(PoolSettings(database_url, "midrise test"))
    yield database
    await database.close()


@pytest.fixture
def audit(database):
    return AuditTrail(database, PostgresAuditEvents())


async def brew(audit, tx):
    changes = {"leaves": {"from": None, "to": "চা"}, "cups": 2}
    await audit.record(tx, ACTOR, action=TeapotAction.BREWED, resource="teapot:1", changes=changes)


async def test_an_entry_is_there_once_its_change_is_committed(audit, database):
    async with database.write() as tx:
        await brew(audit, tx)
        assert (await audit.list_events(AuditEventFilter(), PageRequest())).rows == []
    (event,) = (await audit.list_events(AuditEventFilter(), PageRequest())).rows
    assert (event.actor_id, event.address, event.request_id) == (ACTOR.user_id, "203.0.113.7", "the-request")
    assert (event.action, event.resource) == ("teapot:brewed", "teapot:1")
    assert event.changes == {"leaves": {"from": None, "to": "চা"}, "cups": 2}


async def test_what_was_rolled_back_has_no_entry(audit, database):
    async def fail():
        async with database.write() as tx:
            await brew(audit, tx)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert (await audit.list_events(AuditEventFilter(), PageRequest())).rows == []
