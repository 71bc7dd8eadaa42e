"""An app starts even where a floor below is away, goes on trying, and gives everything back."""

import asyncio
from itertools import count

import pytest
from structlog.testing import capture_logs
from tests.foundation.http.middleware.asgi_calls import answer_ok, call
from tests.foundation.waiting import until

from midrise.foundation.errors import Unavailable
from midrise.foundation.http import lifespan
from midrise.foundation.http.lifespan import LivingApp
from midrise.foundation.http.operations import Health

pytestmark = pytest.mark.anyio


class Steps:
    """What is done at the start and at the end, in the order in which it is."""

    def __init__(self, *, failures: int = 0, error: Exception | None = None) -> None:
        self.done: list[str] = []
        self._error = error or Unavailable()
        self._failures = failures
        self._tries = count()

    async def connect(self) -> None:
        self.done.append("connect")

    async def load(self) -> None:
        if next(self._tries) < self._failures:
            raise self._error
        self.done.append("load")

    async def close(self) -> None:
        self.done.append("close")


def living(steps: Steps, health: Health | None = None) -> LivingApp:
    return LivingApp(
        answer_ok, health=health or Health({}), starts=[steps.connect, steps.load], stops=[steps.close]
    )


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(lifespan, "_START_AGAIN_SECONDS", 0.001)


async def test_it_starts_and_stops_in_order():
    steps = Steps()
    app = living(steps)
    await app.start()
    assert steps.done == ["connect", "load"]
    await app.stop()
    assert steps.done == ["connect", "load", "close"]


async def test_it_answers_while_a_floor_is_away_and_loads_when_it_is_back(soon):
    steps = Steps(failures=3)
    app = living(steps)
    await app.start()
    assert (await call(app)).body == b"ok"
    await until(lambda: "load" in steps.done)
    await app.stop()


async def test_it_stops_trying_when_it_is_stopped(soon):
    steps = Steps(failures=1_000_000)
    app = living(steps)
    await app.start()
    await app.stop()
    await asyncio.gather(app._starting, return_exceptions=True)
    assert app._starting.cancelled()


async def test_a_server_that_stops_says_that_it_is_not_ready():
    health = Health({})
    app = living(Steps(), health)
    assert health.can_serve({})
    await app.stop()
    assert not health.can_serve({})


async def test_the_server_is_told_of_both_ends():
    steps, sent = Steps(), []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message["type"])

    await living(steps)({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert steps.done == ["connect", "load", "close"]


async def test_a_bug_at_the_start_ends_it_with_the_reason():
    sent = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    with capture_logs() as lines:
        await living(Steps(failures=1, error=ValueError("broken seal")))({"type": "lifespan"}, receive, send)
    assert sent == [{"type": "lifespan.startup.failed", "message": "broken seal"}]
    assert lines[0]["event"] == "start.failed"


async def test_no_operation_speaks_websocket():
    sent = []

    async def send(message):
        sent.append(message["type"])

    await living(Steps())({"type": "websocket"}, None, send)
    assert sent == ["websocket.close"]
