"""`/livez` says that the process runs, `/readyz` whether it can serve and how what it stands on is."""

import asyncio
import time

import pytest
from tests.foundation.http.small_app import CURSORS, client_of

from midrise.foundation.errors import Unavailable
from midrise.foundation.http import operations
from midrise.foundation.http.framework import create_framework
from midrise.foundation.http.middleware.admission_gate import AdmissionGate
from midrise.foundation.http.middleware.request_context import RequestContext
from midrise.foundation.http.operations import Dependency, Health, OperationsController

pytestmark = pytest.mark.anyio


async def is_up() -> None: ...


async def is_down() -> None:
    raise Unavailable


async def is_broken() -> None:
    raise OSError("connection refused to db.internal:5432")


async def hangs() -> None:
    await asyncio.Event().wait()


def client_for(health: Health):
    framework = create_framework(
        handlers=[OperationsController], services={"health": health}, cursors=CURSORS, permissions=()
    )
    return client_of(RequestContext(AdmissionGate(framework, admission=None, limits={})))


async def ready(**probes) -> tuple[int, dict]:
    health = Health({name: Dependency(probe, vital=name == "database") for name, probe in probes.items()})
    async with client_for(health) as client:
        answer = await client.get("/readyz")
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)
    assert "internal" not in answer.text
    return answer.status_code, answer.json()


async def test_with_everything_up_it_is_ready():
    assert await ready(database=is_up, cache=is_up) == (
        200,
        {"status": "ready", "dependencies": {"database": "up", "cache": "up"}},
    )


@pytest.mark.parametrize("probe", [is_down, is_broken])
async def test_without_what_is_not_vital_it_is_degraded_and_serves(probe):
    assert await ready(database=is_up, cache=probe) == (
        200,
        {"status": "degraded", "dependencies": {"database": "up", "cache": "down"}},
    )


@pytest.mark.parametrize("probe", [is_down, is_broken])
async def test_without_what_is_vital_it_is_unavailable(probe):
    assert await ready(database=probe, cache=is_up) == (
        503,
        {"status": "unavailable", "dependencies": {"database": "down", "cache": "up"}},
    )


async def test_what_hangs_is_down_and_all_are_asked_at_once(monkeypatch):
    monkeypatch.setattr(operations, "_PROBE_SECONDS", 0.05)
    started = time.monotonic()
    status, shown = await ready(database=is_up, **{f"cache {number}": hangs for number in range(100)})
    assert (status, shown["status"]) == (200, "degraded")
    assert time.monotonic() - started < 2.5, "one after the other would take five seconds"


async def test_a_server_that_stops_is_not_ready_but_lives():
    health = Health({"database": Dependency(is_up, vital=True)})
    health.is_stopping = True
    async with client_for(health) as client:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/livez")).json() == {"status": "alive"}


async def test_it_lives_whatever_is_the_matter():
    async with client_for(Health({"database": Dependency(is_down, vital=True)})) as client:
        assert (await client.get("/livez")).status_code == 200


@pytest.mark.parametrize(
    ("away", "states"),
    [
        ({"redis": {"url": "redis://127.0.0.1:1"}}, {"database": "up", "cache": "down"}),
        (
            {"replica": {"urls": ["postgresql://midrise@127.0.0.1:1/midrise"]}},
            {"database": "up", "replica": "down", "cache": "up"},
        ),
    ],
)
async def test_o5_a_real_server_without_its_cache_or_its_replica_stays_in_the_fleet(
    start_application, away, states
):
    client = await start_application(**away)
    assert (await client.get("/livez")).status_code == 200
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "degraded", "dependencies": states})
    assert (await client.get("/v1/products")).status_code == 200
