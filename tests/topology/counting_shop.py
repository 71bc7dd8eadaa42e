"""Products whose names count, so that an old answer shows.

Writers give each product a rising number as its name. Whoever is answered that a number is stored says so;
readers note what was said before they ask, and may be shown nothing older.
"""

import asyncio
import random
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from tests.topology.house import report

PRODUCTS = 4
WRITERS = 4
READERS = 6
DICE = random.Random(20261128)


@dataclass
class Checked:
    """What was counted, and every answer that was older than it may be."""

    counted: Counter[str] = field(default_factory=Counter)
    stale: list[str] = field(default_factory=list)


class Shop:
    """Products whose names count, and what is known to be stored of them."""

    def __init__(self, ways: Sequence[httpx.AsyncClient], headers: dict[str, str]) -> None:
        self.ways = ways
        self.headers = headers
        self.paths: list[str] = []
        self.stored: dict[str, int] = {}
        self.asked: dict[str, int] = {}
        self.checked = Checked()
        self.is_over = False
        self._held: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def open(self) -> None:
        for _ in range(PRODUCTS):
            body = {"sku": secrets.token_hex(8), "name": "0", "status": "active"}
            price = {"amount": 1, "currency": "BDT"}
            answer = await self.ways[0].post("/v1/products", json=body | {"price": price}, headers=self.headers)
            assert answer.status_code == 201, answer.text
            path = answer.headers["location"]
            self.paths.append(path)
            self.stored[path] = self.asked[path] = 0

    async def write(self) -> None:
        """Raise a number; the answer is given when it is stored."""
        path, way = DICE.choice(self.paths), DICE.choice(self.ways)
        # One writer at a time raises a number, so that a greater number is always stored later.
        async with self._held[path]:
            number = self.asked[path] = self.asked[path] + 1
            try:
                answer = await way.patch(path, json={"name": str(number)}, headers=self.headers)
            except httpx.HTTPError:
                self.checked.counted["writes broken off"] += 1
                return
            if answer.status_code == 200:
                self.stored[path] = max(self.stored[path], number)
                self.checked.counted["writes"] += 1
            else:
                self.checked.counted[f"writes {answer.status_code}"] += 1

    async def read(self) -> None:
        """Ask for one product, or for the list, and compare with what was said before."""
        path, way = DICE.choice(self.paths), DICE.choice(self.ways)
        is_list = DICE.random() < 0.3
        headers = self.headers if DICE.random() < 0.5 else {}
        before = dict(self.stored)
        try:
            answer = await way.get("/v1/products" if is_list else path, headers=headers)
        except httpx.HTTPError:
            self.checked.counted["reads broken off"] += 1
            return
        if answer.status_code != 200:
            self.checked.counted[f"reads {answer.status_code}"] += 1
            if answer.status_code < 500:
                self.checked.stale.append(f"{path}: {answer.status_code} {answer.text}")
            return
        self.checked.counted["reads"] += 1
        for shown in answer.json()["items"] if is_list else [answer.json()]:
            shown_path = f"/v1/products/{shown['id']}"
            if int(shown["name"]) < before.get(shown_path, 0):
                self.checked.stale.append(f"{shown_path}: {shown['name']} after {before[shown_path]}")

    async def repeat(self, act: Callable[[], Awaitable[None]]) -> None:
        while not self.is_over:
            await act()

    async def under(self, trouble: Callable[[], Awaitable[Any]], *, seconds: float) -> Checked:
        """Write and read while the trouble happens, again and again."""
        end = time.monotonic() + seconds
        acts = [*[self.write] * WRITERS, *[self.read] * READERS]
        tasks = [asyncio.create_task(self.repeat(act)) for act in acts]
        try:
            while time.monotonic() < end:
                await trouble()
                self.checked.counted["troubles"] += 1
        finally:
            self.is_over = True
            await asyncio.gather(*tasks)
        return self.checked


def told(what: str, checked: Checked) -> None:
    report(f"{what}: {dict(sorted(checked.counted.items()))}, {len(checked.stale)} stale")
    assert checked.stale == []
    assert checked.counted["reads"] > 0
    assert checked.counted["writes"] > 0
