"""How much of what is read comes from the cache while products change."""

import asyncio
import itertools
import random
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress

import httpx
from calls import LIST, get
from house import House
from load import LONGEST_SECONDS, run_load

METRIC = "midrise_cache_answers"
ANSWERS = re.compile(rf'{METRIC}_total{{.*?outcome="(?P<outcome>\w+)".*?}} (?P<count>[0-9.e+]+)')
HITS = {"hit", "shared_hit"}
POPULAR = 1000
"""So many products are read and changed; the tenth of them is read a tenth as often as the first."""
PRICES = range(100, 5100, 100)
WRITES_PER_SECOND = (10, 100)
READERS = 8
WRITERS = 16


def hit_rates(
    house: House, product_ids: Sequence[str], *, token: str, seconds: float
) -> dict[str, float | None]:
    """The share of reads that were hits, of product pages and of lists; None while there is no such metric."""
    pages = [get(f"/v1/products/{product_id}") for product_id in product_ids[:POPULAR]]
    lists = [get(f"{LIST}&price_min={price}") for price in PRICES]
    rates: dict[str, float | None] = {}
    for (name, asked), writes in itertools.product(
        {"product pages": pages, "lists": lists}.items(), WRITES_PER_SECOND
    ):
        called = f"{name} at {writes} writes a second"
        if not any(METRIC in line for line in house.metrics()):
            rates[called] = None
            continue
        asyncio.run(_warm_up(house, asked))
        before = _counts(house)
        read, written = asyncio.run(
            _mix(house, asked, product_ids[:POPULAR], token=token, writes_per_second=writes, seconds=seconds)
        )
        counts = {outcome: count - before.get(outcome, 0) for outcome, count in _counts(house).items()}
        hits = sum(count for outcome, count in counts.items() if outcome in HITS)
        rates[f"{called} ({written / seconds:.0f} done, {read / seconds:.0f} reads)"] = hits / max(
            1, sum(counts.values())
        )
    return rates


async def _warm_up(house: House, asked: Sequence[bytes]) -> None:
    """Have everything read once, so that no miss is a first one."""
    await run_load(
        ("127.0.0.1", house.port),
        iter(asked),
        seconds=LONGEST_SECONDS,
        expected_status=200,
        connections=READERS,
    )


async def _mix(
    house: House,
    asked: Sequence[bytes],
    product_ids: Sequence[str],
    *,
    token: str,
    writes_per_second: int,
    seconds: float,
) -> tuple[int, int]:
    """Read as fast as a few readers can, through the gateway, and write at an even pace. Counts both."""
    done: list[int] = []
    async with asyncio.timeout(seconds + 60):
        writing = asyncio.create_task(
            _write(house, product_ids, token=token, writes_per_second=writes_per_second, done=done)
        )
        try:
            outcome = await run_load(
                ("127.0.0.1", house.port),
                _by_popularity(asked),
                seconds=seconds,
                expected_status=200,
                connections=READERS,
            )
        finally:
            writing.cancel()
            with suppress(asyncio.CancelledError):
                await writing
    return outcome.answers, len(done)


def _by_popularity(asked: Sequence[bytes]) -> Iterator[bytes]:
    """The first is asked for most often, the one of rank n an n-th as often (Zipf's law)."""
    chosen = random.Random(1)  # noqa: S311  the same mix in every run, no secret
    weights = list(itertools.accumulate(1 / rank for rank in range(1, len(asked) + 1)))
    while True:
        yield from chosen.choices(asked, cum_weights=weights, k=1000)


async def _write(
    house: House, product_ids: Sequence[str], *, token: str, writes_per_second: int, done: list[int]
) -> None:
    loop = asyncio.get_running_loop()
    places = asyncio.Semaphore(WRITERS)
    headers = {"Authorization": f"Bearer {token}"}
    run = secrets.token_hex(4)  # a change that changes nothing would make nothing old

    async def change(number: int, product_id: str) -> None:
        async with places:
            answer = await client.patch(f"/v1/products/{product_id}", json={"description": f"{run} {number}"})
            answer.raise_for_status()
            done.append(number)

    connected = httpx.AsyncClient(base_url=house.url, headers=headers, timeout=30)
    async with connected as client, asyncio.TaskGroup() as changes:
        began = loop.time()
        for number, product_id in enumerate(itertools.cycle(product_ids)):
            await asyncio.sleep(max(0.0, began + number / writes_per_second - loop.time()))
            changes.create_task(change(number, product_id))


def _counts(house: House) -> dict[str, float]:
    """Answers by outcome, of all instances."""
    counts: dict[str, float] = {}
    for line in house.metrics():
        if match := ANSWERS.match(line):
            counts[match["outcome"]] = counts.get(match["outcome"], 0.0) + float(match["count"])
    return counts
