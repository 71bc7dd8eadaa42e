"""Callers that are remembered: how often the database is asked, and what a change does to that."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import chain
from uuid import UUID

import pytest
from tests.foundation.cache.remembered import HeldPrefix, PassingTime, Records, open_cache

from midrise.foundation import clock
from midrise.foundation.admission import Caller, KnownCallers, RoleGrants, SessionState
from midrise.foundation.cache import reads
from midrise.foundation.cache.generations import ANSWER_SECONDS
from midrise.foundation.database.positions import Consistency, consistency
from midrise.foundation.errors import Unavailable
from midrise.foundation.ids import new_id

pytestmark = pytest.mark.anyio

HOLDERS = 200


class Sessions:
    """A source that knows what the test tells it, and counts what it is asked."""

    def __init__(self) -> None:
        self.states: dict[UUID, SessionState] = {}
        self.grants = {"support": ["users:read"], "customer": []}
        self.asked: Counter[str] = Counter()
        self.is_away = False

    def log_in(self, *roles: str) -> tuple[UUID, UUID]:
        session_id = new_id()
        self.states[session_id] = SessionState(stands=True, expires_at=clock.timestamp() + 3600, roles=roles)
        return session_id, new_id()

    async def find_caller(self, session_id: UUID, user_id: UUID) -> Caller | None:
        raise NotImplementedError

    def generations(self, user_id: UUID) -> tuple[str, str]:
        return f"user:{user_id}", "roles"

    async def get_state(self, session_id: UUID, user_id: UUID) -> SessionState:
        del user_id
        await self._ask("state")
        return self.states.get(session_id, SessionState())

    async def get_grants(self) -> RoleGrants:
        await self._ask("grants")
        return RoleGrants({name: list(allowed) for name, allowed in self.grants.items()})

    def effective(self, roles: Iterable[str], grants: Mapping[str, Iterable[str]]) -> frozenset[str]:
        return frozenset(chain.from_iterable(grants.get(name, ()) for name in roles))

    async def _ask(self, what: str) -> None:
        self.asked[what] += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable
        request = consistency.get()
        assert request is not None, "admission reads by a consistency of its own"
        request.note_snapshot(10, next_xid=10)


class Door:
    """Lets callers in as admission does."""

    def __init__(self, records: Records, source: Sessions) -> None:
        self.records = records
        self.source = source
        self.callers = KnownCallers(source, records.cache, records.switch)
        self.name = secrets.token_hex(4)

    async def come(self, who: tuple[UUID, UUID]) -> Caller | None:
        session_id, user_id = who
        user, roles = await self.records.see(*self.source.generations(user_id))
        prefix = str(self.records.switch.prefix)
        return await self.callers.find_caller(session_id, user_id, prefix=prefix, user=user, roles=roles)

    async def change(self, generation: str) -> None:
        await self.records.mark(generation, next_xid=5)


@pytest.fixture
async def door(valkey_url):
    cache = open_cache(valkey_url)
    yield Door(Records(cache, HeldPrefix()), Sessions())
    await cache.close()


async def test_a_session_is_asked_for_once(door):
    who = door.source.log_in("support")
    for _ in range(5):
        assert (await door.come(who)).permissions == {"users:read"}
    assert door.source.asked == {"state": 1, "grants": 1}


async def test_another_process_asks_the_cache_and_not_the_database(door):
    who = door.source.log_in("support")
    await door.come(who)
    other = Door(door.records, Sessions())
    assert (await other.come(who)).roles == ("support",)
    assert other.source.asked == {}


async def test_a_changed_role_of_many_is_read_once_and_no_session_again(door):
    everybody = [door.source.log_in("support") for _ in range(HOLDERS)]
    await asyncio.gather(*(door.come(who) for who in everybody))
    door.source.asked.clear()
    door.source.grants["support"] = ["users:read", "audit:read"]
    await door.change("roles")
    callers = await asyncio.gather(*(door.come(who) for who in everybody))
    assert {caller.permissions for caller in callers} == {frozenset({"users:read", "audit:read"})}
    assert door.source.asked == {"grants": 1}


async def test_what_roles_allow_is_read_anew_after_a_time_also_where_nobody_said_that_it_changed(
    door, monkeypatch
):
    passing = PassingTime()
    monkeypatch.setattr(reads, "time", passing)
    who = door.source.log_in("support")
    for _ in range(3):
        assert (await door.come(who)).permissions == {"users:read"}
    # By hand: no generation was marked. In the shared cache it grows old as well.
    door.source.grants["support"] = ["audit:read"]
    cache, prefix = door.records.cache, door.records.switch.prefix
    _, kept = await cache.execute("SCAN", "0", "MATCH", f"{prefix}roles.*", "COUNT", 100_000)
    assert await cache.execute("DEL", *kept) == 1
    passing.seconds += ANSWER_SECONDS + 1
    for _ in range(3):
        assert (await door.come(who)).permissions == {"audit:read"}
    assert door.source.asked["grants"] == 2


async def test_the_end_of_a_session_counts_at_once_and_is_remembered_as_well(door):
    who = door.source.log_in("support")
    await door.come(who)
    del door.source.states[who[0]]
    await door.change(f"user:{who[1]}")
    for _ in range(3):
        assert await door.come(who) is None
    assert door.source.asked["state"] == 2


async def test_a_session_ends_by_itself_while_it_is_remembered(door, monkeypatch):
    who = door.source.log_in("support")
    assert await door.come(who)
    later = clock.timestamp() + 3601
    monkeypatch.setattr(clock, "timestamp", lambda: later)
    assert await door.come(who) is None
    assert door.source.asked["state"] == 1


async def test_of_a_thousand_at_once_one_asks(door):
    who = door.source.log_in("support")
    callers = await asyncio.gather(*(door.come(who) for _ in range(1000)))
    assert len(set(callers)) == 1
    assert door.source.asked == {"state": 1, "grants": 1}


async def test_while_the_database_is_away_nobody_is_let_in_on_a_guess_and_what_is_known_is_known(door):
    known, unknown = door.source.log_in("support"), door.source.log_in("support")
    await door.come(known)
    door.source.is_away = True
    assert await door.come(known)
    for outcome in await asyncio.gather(*(door.come(unknown) for _ in range(20)), return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    door.source.is_away = False
    assert await door.come(unknown)


async def test_the_consistency_of_the_request_around_it_learns_nothing(door):
    request = Consistency()
    before = consistency.set(request)
    await door.come(door.source.log_in("support"))
    consistency.reset(before)
    assert request == Consistency()
