"""Carries out ways through the model of the generations on a real PostgreSQL and a real Valkey.

One driver takes each step when its turn comes, so every gap between two of them is a place where somebody
stands still. A request is the real code: the script of admission, `CachedReads`, and what a statement tells of
its snapshot. The real protocol is kept also in ways that a weakened one allows: who has not marked marks before
its commit, and a server that lags too far is left for the primary, as `ReadUnit` does it.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.foundation.cache.model.generations import judge
from tests.foundation.cache.model.histories import History
from tests.foundation.cache.model.replayed_database import HistoryDatabase
from tests.foundation.cache.model.search import StaleAnswer
from tests.foundation.cache.remembered import Records, Shown

from midrise.foundation.cache.reads import CachedReads, Glance, Reading

THING = "thing"


@dataclass
class Request:
    """Somebody who wants the answer, and how far it has come."""

    process: CachedReads[Shown]
    began: frozenset[int]
    glance: Glance | None = None
    bound: int | None = None
    lagging: frozenset[int] | None = None
    """What the server shows that is to be read from."""
    task: asyncio.Task[None] | None = None
    leads: bool = False
    reading: Reading[Shown] | None = None
    may_read: asyncio.Event = field(default_factory=asyncio.Event)
    has_read: asyncio.Event = field(default_factory=asyncio.Event)
    may_fill: asyncio.Event = field(default_factory=asyncio.Event)


class Replay:
    """The real protocol. What weakens it overrides one of the rules, which stand first."""

    def __init__(self, records: Records, database: HistoryDatabase, processes: Sequence[CachedReads[Shown]]):
        self._records = records
        self.database = database
        self._processes = processes
        self._requests: dict[int, Request] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.delivered = 0
        """How many answers came from a cache or from another's query."""
        self.stale: StaleAnswer | None = None

    def told(self, reading: Reading[Shown]) -> Reading[Shown]:
        """What a reading says of its snapshot."""
        return reading

    def is_far_enough(self, reading: Reading[Shown], glance: Glance) -> bool:
        """Whether a server that lags has seen what an answer that is to be kept must have seen."""
        return glance.horizon is not None and (reading.xmin or 0) >= glance.horizon

    async def commit(self, number: int) -> None:
        if not self.database.writers[number].is_marked:
            await self.mark(number)
        await self.database.commit(number)

    async def mark(self, number: int) -> None:
        if number in self.database.writers:
            writer = self.database.writers[number]
            await self._records.mark(THING, next_xid=writer.xid + 1)
            writer.is_marked = True

    async def carry_out(self, history: History) -> None:
        """Raises `StaleAnswer`, with the step at which one was given."""
        try:
            for step in history:
                await self._take(step)
                self._judge_so_far(step)
            await self._end()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, step: str) -> None:
        if step.startswith("reader"):
            who, _, what = step.partition(": ")
            await self._take_of_reader(int(who.split()[1]), what)
        elif step.startswith("writer"):
            _, number, what = step.split(" ", 2)
            await self._take_of_writer(int(number), what)
        elif step == "the cache is flushed":
            await self._records.cache.execute("FLUSHDB")
        elif step == "the mark expires":
            # What may expire of the real protocol is the whole record.
            (seen,) = await self._records.see(THING)
            await self._records.cache.execute("DEL", seen.key)
        else:
            raise ValueError(step)

    async def _take_of_writer(self, number: int, what: str) -> None:
        if what == "begins":
            await self.database.begin(number)
        elif what == "marks":
            await self.mark(number)
        elif what == "commits":
            await self.commit(number)
        elif what == "rolls back or crashes":
            crashes = (self.database.history + number) % 2 == 0
            await (self.database.crash if crashes else self.database.roll_back)(number)
        elif what != "takes its mark away":
            raise ValueError(what)

    async def _take_of_reader(self, place: int, what: str) -> None:
        if what in ("a reader finds no record", "a reader sees the record"):
            request = await self._begin(place)
            if what == "a reader sees the record":
                await self._see(request)
            return
        steps = {
            "a reader draws": self._see,
            "a reader finds nothing kept": self._look,
            "the reader is given": self._look,
            "the reader joins": self._join,
            "a reader takes the bound": self._take_bound,
            "a reader resolves": self._resolve,
            "a reader reads": partial(self._read, lagging=frozenset(map(int, re.findall(r"\d+", what)))),
            "a reader fills": self._fill,
            "a reader is given what was begun after it came": self._fill,
        }
        (step,) = (step for beginning, step in steps.items() if what.startswith(beginning))
        await step(self._requests[place])

    # Requests: each step does nothing where the real code is past it, as where it was given an answer already

    async def _begin(self, place: int) -> Request:
        if (former := self._requests.get(place)) is not None:
            await self._fill(former)
        process = self._processes[place % len(self._processes)]
        self._requests[place] = Request(process, self.database.committed)
        return self._requests[place]

    async def _see(self, request: Request) -> None:
        request.glance = await self._records.glance(THING)

    async def _look(self, request: Request) -> None:
        """In this process, then in Valkey; then it reads, or joins who reads."""
        assert request.glance is not None
        found = request.process.find_near(THING, request.glance)
        found = found or await request.process.find_far(THING, request.glance)
        if found is not None:
            self._deliver(found, request, "the reader is given what was kept")
        elif request.task is None:
            request.task = asyncio.create_task(self._ask(request, request.glance))
            self._tasks.append(request.task)
            await _let_others_run()

    async def _join(self, request: Request) -> None:
        """Those who have read come to their end, and whoever waits for them."""
        await self._look(request)
        for other in self._requests.values():
            if other.reading is not None:
                await self._fill(other)

    async def _take_bound(self, request: Request) -> None:
        request.bound = (await self.database.show_now()).next_xid

    async def _resolve(self, request: Request) -> None:
        if request.glance is not None and request.bound is not None:
            await self._records.generations.settle(request.glance.seen[0], next_xid=request.bound)

    async def _read(self, request: Request, *, lagging: frozenset[int]) -> None:
        if request.leads:
            request.lagging = lagging
            request.may_read.set()
            await request.has_read.wait()

    async def _fill(self, request: Request) -> None:
        request.may_read.set()
        request.may_fill.set()
        if request.leads and request.task is not None:
            await request.task
            await _let_others_run()

    async def _ask(self, request: Request, glance: Glance) -> None:
        async def read() -> Reading[Shown]:
            request.leads = True
            await request.may_read.wait()
            request.reading = await self._read_where_it_may(request, glance)
            request.has_read.set()
            await request.may_fill.wait()
            return self.told(request.reading)

        answer = await request.process.read(THING, glance, read)
        if answer is not None and not request.leads:
            self._deliver(answer, request, "the reader joins another's query")

    async def _read_where_it_may(self, request: Request, glance: Glance) -> Reading[Shown]:
        if request.lagging is not None:
            late = await self.database.show_late(request.lagging)
            if late is not None and self.is_far_enough(late, glance):
                return late
        return await self.database.show_now()

    def _deliver(self, answer: Shown, request: Request, how: str) -> None:
        self.delivered += 1
        try:
            judge(how, [int(number) for number in answer.text.split()], request.began)
        except StaleAnswer as stale:
            self.stale = self.stale or stale

    def _judge_so_far(self, step: str) -> None:
        if self.stale is not None:
            raise StaleAnswer(f"{step}: {self.stale}")

    async def _end(self) -> None:
        """Whoever is under way comes to an end, and then somebody comes to each process."""
        for request in self._requests.values():
            request.may_read.set()
            request.may_fill.set()
        await asyncio.gather(*self._tasks)
        for place in range(len(self._processes)):
            await self._see(request := await self._begin(place))
            await self._look(request)
            await self._fill(request)
        self._judge_so_far("at last")


async def _let_others_run() -> None:
    """Whoever waits for an answer that is there now takes it, without asking any server."""
    for _ in range(5):
        await asyncio.sleep(0)
