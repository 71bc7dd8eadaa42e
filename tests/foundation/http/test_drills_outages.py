"""What befalls a cache that only some can reach, that is away, or that comes back with what it held before.

The instances are in this process; between them and the servers stand lines that a drill can cut. Each drill
prints what it did and counted.
"""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx
import pytest
from tests.conftest import ADMIN_EMAIL, PASSWORD, log_in, register
from tests.foundation.http.lines import line_to_cache, line_to_database
from tests.foundation.http.middleware.test_cached_answers import kept
from tests.foundation.waiting import until
from tests.servers import make_database
from tests.topology.counting_shop import DICE, Shop, told
from tests.topology.house import report

from midrise.app import create_administrator
from midrise.settings import Settings

pytestmark = [pytest.mark.anyio, pytest.mark.drill]

SECONDS = 6.0
OFF_SECONDS = 60.0
REVOKED = 1000
AT_ONCE = 20
BELIEF_SECONDS = 0.5
DELAYS_SECONDS = {"slow": 0.03, "too slow": 0.3}
"""Within what a call of the cache may take, and beyond."""
ME = "/v1/me"
SERVED = {"writes", "reads", "troubles"}


class Fleet:
    """Instances on a database of their own: those that share one must share a cache as well."""

    def __init__(
        self, start: Callable[..., Awaitable[httpx.AsyncClient]], settings: Settings, url: str
    ) -> None:
        self._start = start
        self.database = settings.database.model_dump() | {"url": url}
        self.url = url

    async def start(self, cache_url: str, *, url: str | None = None) -> httpx.AsyncClient:
        database = self.database | {"url": url or self.url}
        return await self._start(redis={"url": cache_url}, database=database)


@pytest.fixture
async def fleet(start_application, settings, sockets, worker_number) -> Fleet:
    url = await asyncio.to_thread(make_database, sockets, f"midrise_outages_{worker_number}")
    fleet = Fleet(start_application, settings, url)
    own = Settings.model_validate(settings.model_dump() | {"database": fleet.database})
    await create_administrator(own, email=ADMIN_EMAIL, name="Admin", password=PASSWORD, if_none=False)
    return fleet


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def opened(*ways: httpx.AsyncClient) -> Shop:
    shop = Shop(ways, bearer(await log_in(ways[0], ADMIN_EMAIL)))
    await shop.open()
    return shop


@pytest.mark.parametrize("how", ["swallowed", "cut"])
async def test_d11_nothing_is_old_though_one_of_two_alone_can_not_reach_the_cache(fleet, start_valkey, how):
    port = start_valkey().port
    async with line_to_cache(port) as (line, url):
        one = await fleet.start(url)
        other = await fleet.start(f"redis://127.0.0.1:{port}")

        async def cut_off() -> None:
            # Each change that can't be marked keeps it off for ten seconds: it need not be back in time.
            with contextlib.suppress(AssertionError):
                await kept(other, "/v1/config", "/v1/config")
            await asyncio.sleep(DICE.uniform(0, 0.5))
            if how == "cut":
                line.cut()
            else:
                line.swallow()
            await asyncio.sleep(DICE.uniform(0.1, 1))
            line.mend()

        shop = await opened(one, other)
        checked = await shop.under(cut_off, seconds=2 * SECONDS)
    told(f"one of two instances {how} off from the cache", checked)
    assert checked.counted.keys() <= SERVED


async def test_d11_nothing_is_old_though_the_cache_starts_again_from_an_old_file(fleet, start_valkey):
    valkey = start_valkey()
    url = f"redis://127.0.0.1:{valkey.port}"
    ways = [await fleet.start(url) for _ in range(2)]

    async def go_back() -> None:
        await kept(ways[0], "/v1/config", "/v1/config")
        await save(valkey)
        await asyncio.sleep(DICE.uniform(0.1, 0.7))
        valkey.kill()
        valkey.start()

    shop = await opened(*ways)
    checked = await shop.under(go_back, seconds=2 * SECONDS)
    told("the cache started again from an old file", checked)
    assert checked.counted.keys() <= SERVED


async def save(valkey) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", valkey.port)
    writer.write(b"SAVE\r\n")
    assert await reader.readline() == b"+OK\r\n"
    writer.close()


async def test_d13_without_a_cache_everything_is_answered_and_the_first_change_takes_half_a_second_more(
    fleet, start_valkey
):
    valkey = start_valkey()
    ways = [await fleet.start(valkey.url) for _ in range(2)]
    await kept(ways[0], "/v1/config", "/v1/config")
    shop = await opened(*ways)
    valkey.kill()
    took = []
    for _ in range(5):
        started = time.monotonic()
        await shop.write()
        took.append(time.monotonic() - started)
    checked = await shop.under(lambda: asyncio.sleep(1), seconds=OFF_SECONDS)
    valkey.start()
    await kept(ways[0], "/v1/config", "/v1/config")
    report(f"changes without the cache took {[f'{seconds:.2f}' for seconds in took]} s")
    told("no cache for a minute", checked)
    assert checked.counted.keys() <= SERVED
    assert took[0] > BELIEF_SECONDS
    assert took[0] == max(took)


async def test_r2_nothing_brings_a_revoked_token_back(fleet, start_valkey):
    valkey = start_valkey()
    way = await fleet.start(f"redis://127.0.0.1:{valkey.port}")
    way.event_hooks = {"response": []}
    emails = [await register(way) for _ in range(AT_ONCE)]
    tokens: list[str] = []
    for _ in range(REVOKED // AT_ONCE):
        tokens += await asyncio.gather(*(log_in(way, email) for email in emails))
    last, early = tokens[: REVOKED // 10], tokens[REVOKED // 10 :]

    async def statuses(of: list[str]) -> Counter[int]:
        counted: Counter[int] = Counter()
        for start in range(0, len(of), AT_ONCE):
            lot = of[start : start + AT_ONCE]
            answers = await asyncio.gather(*(way.get(ME, headers=bearer(token)) for token in lot))
            counted.update(answer.status_code for answer in answers)
        return counted

    async def log_out(of: list[str]) -> None:
        for token in of:
            assert (await way.post("/v1/auth/logout", headers=bearer(token))).status_code == 204

    found = {"before": await statuses(tokens)}
    await save(valkey)
    await log_out(early)
    found["logged out"] = await statuses(early)
    await flush(valkey)
    found["flushed"] = await statuses(early)
    valkey.kill()
    valkey.start()
    found["from an old file"] = await statuses(early)
    await kept(way, "/v1/config", "/v1/config")
    found["and used again"] = await statuses(early)
    assert await statuses(last) == {200: len(last)}
    valkey.freeze()
    await log_out(last)
    valkey.thaw()
    found["frozen, logged out, thawed"] = await statuses(tokens)
    await kept(way, "/v1/config", "/v1/config")
    found["and used again as well"] = await statuses(tokens)
    report(f"{REVOKED} tokens: { {what: dict(counted) for what, counted in found.items()} }")
    assert found.pop("before") == {200: REVOKED}
    assert all(counted.keys() == {401} for counted in found.values())


async def flush(valkey) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", valkey.port)
    writer.write(b"FLUSHALL\r\n")
    assert await reader.readline() == b"+OK\r\n"
    writer.close()


async def talk_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        writer.write(DICE.choice([b"+OK\r\n", b":1\r\n", b"*3\r\n:1\r\n:0\r\n$1\r\nx\r\n", b"\x00\xff\r\n"]))


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        pass


@pytest.mark.parametrize("cache", ["fine", "away", "empty", "slow", "too slow", "hanging", "garbage"])
async def test_r3_authentication_never_fails_open(
    fleet, sockets, short_folder, start_valkey, fake_server, cache
):
    folder = short_folder / secrets.token_hex(4)
    folder.mkdir()

    async def statuses(way: httpx.AsyncClient) -> dict[str, int]:
        sent = {"good": bearer(token), "ended": bearer(ended), "forged": bearer(f"{token}x"), "none": {}}
        return {name: (await way.get(ME, headers=each)).status_code for name, each in sent.items()}

    valkey, talk = start_valkey(), hang if cache == "hanging" else talk_garbage
    async with (
        line_to_database(sockets, folder) as line,
        line_to_cache(valkey.port) as (slow_line, slow_url),
        fake_server(talk) as lying,
    ):
        slow_line.delay_seconds = DELAYS_SECONDS.get(cache, 0)
        url = {"hanging": lying, "garbage": lying, "away": "redis://127.0.0.1:1"}.get(cache, slow_url)
        way = await fleet.start(url, url=fleet.url.replace(str(sockets), str(folder)))
        token, ended = await log_in(way, await register(way)), await log_in(way, await register(way))
        await way.post("/v1/auth/logout", headers=bearer(ended))
        if cache in {"fine", "empty"}:
            await kept(way, "/v1/config", "/v1/config")
        if cache == "empty":
            valkey.kill()
            valkey.start()
        fine = [await statuses(way) for _ in range(5)]
        line.cut()

        async def is_known_to_be_gone() -> bool:
            return (await way.get(ME, headers=bearer(token))).status_code == 503

        await until(is_known_to_be_gone)
        gone = [await statuses(way) for _ in range(5)]
        line.mend()

        async def is_back() -> bool:
            return (await way.get(ME, headers=bearer(token))).status_code == 200

        await until(is_back)
        back = await statuses(way)
    report(f"cache {cache}: database fine {fine[-1]}, gone {gone[-1]}, back {back}")
    right = {"good": 200, "ended": 401, "forged": 401, "none": 401}
    assert [each for each in fine if each != right] == []
    # Of one that has ended it may still be known, on a slow cache as well; that is as good as not to know it.
    known = [each | {"ended": 503} if each["ended"] == 401 else each for each in gone]
    assert [each for each in known if each != right | {"good": 503, "ended": 503}] == []
    assert back == right
