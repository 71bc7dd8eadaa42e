"""The configuration on a real database: what is in force, for whom, and what the audit says of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, PoolSettings
from midrise.foundation.errors import NotFound, PreconditionFailed
from midrise.foundation.module import ConfigKey
from midrise.foundation.paging import PageRequest
from midrise.foundation.versions import Expected
from midrise.modules.audit import AuditTrail
from midrise.modules.audit.events.model import AuditEventFilter
from midrise.modules.audit.events.repository import PostgresAuditEvents
from midrise.modules.config import Configuration
from midrise.modules.config.values.repository import PostgresConfigValues

pytestmark = pytest.mark.anyio

PAGES = ConfigKey("shop.pages", default=5, description="Pages", smallest=1, largest=10)
SHARE = ConfigKey("shop.share", default=0.5, description="A share")
NAME = ConfigKey("shop.name", default="Shop", description="Its name", public=True)
OPEN = ConfigKey("shop.open", default=True, description="Whether it is open", public=True)
UNDECLARED = ConfigKey("shop.forgotten", default=True, description="No module declares it")

VISITOR = Actor("203.0.113.7", "request-1")
ADMINISTRATOR = Actor("203.0.113.8", "request-2", permissions=frozenset({"config:read", "config:write"}))
WHATEVER = Expected()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database.on_one_server(PoolSettings(database_url, "tests", largest_size=4))
    yield opened
    await opened.close()


@pytest.fixture
def audit(database: Database) -> AuditTrail:
    return AuditTrail(database, PostgresAuditEvents())


@pytest.fixture
def configuration(database: Database, audit: AuditTrail) -> Configuration:
    keys = [PAGES, SHARE, NAME, OPEN]
    return Configuration(database, PostgresConfigValues(), audit=audit, keys=keys)


async def in_force(configuration: Configuration, database: Database, key: ConfigKey) -> object:
    async with database.read() as unit:
        return await configuration.get_value(unit, key)


async def test_a_key_that_was_never_set_is_its_default(configuration, database):
    assert await in_force(configuration, database, PAGES) == 5


@pytest.mark.parametrize(("key", "value"), [(PAGES, 7), (SHARE, 0.1), (NAME, "দোকান 🛒"), (OPEN, False)])
async def test_what_is_set_is_in_force_in_its_own_type(configuration, database, key, value):
    await configuration.set_value(ADMINISTRATOR, key.key, value=value, expected=WHATEVER)
    found = await in_force(configuration, database, key)
    assert (found, type(found)) == (value, type(value))


async def test_a_transaction_sees_the_value_too(configuration, database):
    async with database.write() as tx:
        assert await configuration.get_value(tx, NAME) == "Shop"


async def test_a_key_that_no_module_declares_can_not_be_asked_for(configuration, database):
    with pytest.raises(KeyError):
        await in_force(configuration, database, UNDECLARED)


async def test_the_default_comes_back_and_the_version_goes_on(configuration, database):
    first = await configuration.set_value(ADMINISTRATOR, "shop.pages", value=7, expected=WHATEVER)
    await configuration.reset(ADMINISTRATOR, "shop.pages", expected=WHATEVER)
    entry = await configuration.get_entry(ADMINISTRATOR, "shop.pages")
    assert (first.version, entry.version, entry.value, entry.updated_at) == (1, 2, 5, None)


async def test_setting_the_same_value_again_changes_nothing(configuration, audit):
    for _ in range(2):
        entry = await configuration.set_value(ADMINISTRATOR, "shop.pages", value=7, expected=WHATEVER)
    assert entry.version == 1
    assert len(await audited(audit)) == 1


async def test_a_default_that_was_set_is_kept_when_a_release_changes_it(configuration, database, audit):
    await configuration.set_value(ADMINISTRATOR, "shop.pages", value=5, expected=WHATEVER)
    changed = ConfigKey("shop.pages", default=9, description="Pages")
    later = Configuration(database, PostgresConfigValues(), audit=audit, keys=[changed])
    assert await in_force(later, database, changed) == 5


async def test_resetting_what_is_not_set_changes_nothing(configuration, audit):
    await configuration.reset(ADMINISTRATOR, "shop.pages", expected=WHATEVER)
    entry = await configuration.get_entry(ADMINISTRATOR, "shop.pages")
    assert entry.version == 0
    assert await audited(audit) == []


async def test_each_change_is_in_the_audit_with_both_values(configuration, audit):
    await configuration.set_value(ADMINISTRATOR, "shop.pages", value=7, expected=WHATEVER)
    await configuration.reset(ADMINISTRATOR, "shop.pages", expected=WHATEVER)
    assert await audited(audit) == [
        ("config:reset", "config:shop.pages", {"value": {"from": 7, "to": 5}}),
        ("config:set", "config:shop.pages", {"value": {"from": 5, "to": 7}}),
    ]


async def test_a_change_for_an_old_version_is_refused_and_leaves_nothing(configuration, audit):
    with pytest.raises(PreconditionFailed) as refused:
        await configuration.set_value(ADMINISTRATOR, "shop.pages", value=7, expected=Expected(("4",)))
    assert refused.value.current_version == "0"
    assert await audited(audit) == []


async def test_of_many_first_settings_at_once_one_wins(configuration):
    attempts = [
        configuration.set_value(ADMINISTRATOR, "shop.pages", value=pages, expected=Expected(("0",)))
        for pages in range(1, 11)
    ]
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, PreconditionFailed) for outcome in outcomes) == 9


async def test_a_visitor_sees_public_keys_alone(configuration):
    page = await configuration.list_entries(VISITOR, PageRequest())
    assert [entry.declaration.key for entry in page.rows] == ["shop.name", "shop.open"]
    with pytest.raises(NotFound):
        await configuration.get_entry(VISITOR, "shop.pages")


async def test_the_list_is_read_page_by_page(configuration):
    await configuration.set_value(ADMINISTRATOR, "shop.share", value=0.75, expected=WHATEVER)
    first = await configuration.list_entries(ADMINISTRATOR, PageRequest(limit=3))
    second = await configuration.list_entries(ADMINISTRATOR, PageRequest(limit=3, after=first.next_after))
    assert [(entry.declaration.key, entry.value) for page in (first, second) for entry in page.rows] == [
        ("shop.name", "Shop"),
        ("shop.open", True),
        ("shop.pages", 5),
        ("shop.share", 0.75),
    ]
    assert second.next_after is None


async def audited(audit: AuditTrail) -> list[tuple[str, str, object]]:
    page = await audit.list_events(AuditEventFilter(), PageRequest())
    return [(event.action, event.resource, event.changes) for event in page.rows]
