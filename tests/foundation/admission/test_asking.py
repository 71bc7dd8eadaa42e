"""Who sends a request, asked of a database that hangs while the cache is away: nobody waits without end."""

import asyncio
from dataclasses import dataclass, field

import pytest

from midrise.foundation.admission import Admission, AskingBounds, Caller, LimitName, LocalRateLimiter
from midrise.foundation.database.pool import ConnectionPool, PoolSettings
from midrise.foundation.errors import Unavailable
from midrise.foundation.ids import new_id
from midrise.foundation.security.api_keys import API_KEY_PREFIX, ApiKeyClaims
from midrise.foundation.security.signing_keys import KeyRing, KeyState, generate_signing_key
from midrise.foundation.security.tokens import AccessTokens, TokenSettings

pytestmark = pytest.mark.anyio

IMPATIENT = AskingBounds(most_at_once=2, most_waiting=20, wait_seconds=0.2, ask_seconds=0.5)
PATIENT = AskingBounds(most_at_once=2, most_waiting=20, wait_seconds=60, ask_seconds=60)


@dataclass
class Source:
    """Knows every session and every key, and tells when the test lets it."""

    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    asking: int = 0
    most_asking: int = 0

    async def find_caller(self, *of_whom, **rest) -> Caller:
        del of_whom, rest
        self.asking += 1
        self.most_asking = max(self.most_asking, self.asking)
        try:
            await self.look_up()
        finally:
            self.asking -= 1
        return Caller(new_id())

    async def look_up(self) -> None:
        await self.may_answer.wait()

    def generations(self, user_id) -> tuple[str, str]:
        return f"user:{user_id}", "roles"

    def read(self, text: str) -> ApiKeyClaims:
        return ApiKeyClaims(new_id(), new_id(), text.encode())

    def note_use(self, api_key_id) -> None:
        """Nothing is written."""


class DatabaseSource(Source):
    """Asks a database."""

    def __init__(self, pool: ConnectionPool) -> None:
        super().__init__()
        self._pool = pool

    async def look_up(self) -> None:
        async with self._pool.connection() as connection:
            await connection.fetchval("SELECT 1")


class House:
    """Admission without a cache, and a credential of the kind that is asked about."""

    def __init__(self, kind: str, source: Source, bounds: AskingBounds) -> None:
        tokens = AccessTokens(TokenSettings(), KeyRing([generate_signing_key(KeyState.CURRENT)]))
        self.credential = tokens.issue(new_id(), new_id()) if kind == "session" else f"{API_KEY_PREFIX}one"
        self._admission = Admission(
            tokens=tokens,
            sessions=source,
            api_keys=source,
            limiter=LocalRateLimiter({LimitName.DEFAULT: None}),
            asking=bounds,
        )

    async def is_admitted(self) -> bool:
        """False where it can't be known."""
        try:
            admitted = await self._admission.admit(token=self.credential, address="203.0.113.7")
        except Unavailable:
            return False
        return admitted.caller is not None

    def ask_at_once(self, number: int) -> list[asyncio.Task[bool]]:
        return [asyncio.create_task(self.is_admitted()) for _ in range(number)]


kinds = pytest.mark.parametrize("kind", ["session", "api key"])


@kinds
async def test_r3_with_a_database_that_hangs_everybody_is_turned_away_in_time(kind, fake_server):
    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del writer
        while await reader.read(1000):
            pass

    async with fake_server(never_answer) as url:
        pool = ConnectionPool(
            PoolSettings(
                url.replace("redis://", "postgresql://nobody@") + "/nothing",
                process="test.1",
                acquire_timeout_seconds=300,
                connect_timeout_seconds=300,
            )
        )
        house = House(kind, DatabaseSource(pool), IMPATIENT)
        async with asyncio.timeout(30):
            assert await asyncio.gather(*house.ask_at_once(100)) == [False] * 100
        await pool.close()


@kinds
async def test_more_than_may_wait_are_turned_away_at_once_and_the_others_answered(kind):
    source = Source()
    house = House(kind, source, PATIENT)
    asked = house.ask_at_once(25)
    turned_away, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in turned_away] == [False] * 3
    source.may_answer.set()
    assert await asyncio.gather(*asked) == [True] * 22 + [False] * 3
    assert source.most_asking == 2


@kinds
async def test_when_the_database_answers_again_so_does_admission(kind):
    source = Source()
    house = House(kind, source, IMPATIENT)
    assert not any(await asyncio.gather(*house.ask_at_once(30)))
    source.may_answer.set()
    assert await asyncio.gather(*house.ask_at_once(22)) == [True] * 22


@kinds
async def test_who_goes_away_while_waiting_leaves_the_place_to_others(kind):
    source = Source()
    house = House(kind, source, PATIENT)
    asked = house.ask_at_once(22)
    await asyncio.sleep(0)
    for task in asked:
        task.cancel()
    await asyncio.wait(asked)
    others = house.ask_at_once(22)
    await asyncio.sleep(0)
    source.may_answer.set()
    assert await asyncio.gather(*others) == [True] * 22
