"""`/livez` and `/readyz`: what load balancers and people ask a server about itself."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from litestar import Controller, Response, get

from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.current import Injected

_PROBE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Dependency:
    """Something below that can be away. Without a ``vital`` one the server can't serve."""

    probe: Callable[[], Awaitable[object]]
    vital: bool = False


class Health:
    """Asks the floors below how they are: each at once, and none for longer than a second."""

    def __init__(self, dependencies: Mapping[str, Dependency]) -> None:
        self._dependencies = dependencies
        self.is_stopping = False

    async def states(self) -> dict[str, bool]:
        """Each dependency's name, and whether it answers."""
        names = list(self._dependencies)
        answers = await asyncio.gather(*(_answers(self._dependencies[name]) for name in names))
        return dict(zip(names, answers, strict=True))

    def can_serve(self, states: Mapping[str, bool]) -> bool:
        return not self.is_stopping and all(
            states[name] for name, dependency in self._dependencies.items() if dependency.vital
        )


class Alive(msgspec.Struct):
    """The process runs."""

    status: Literal["alive"] = "alive"


class Readiness(msgspec.Struct):
    """Whether the server can serve, and how what it stands on is."""

    status: Annotated[
        Literal["ready", "degraded", "unavailable"],
        msgspec.Meta(description="`degraded` serves everything, some of it more slowly"),
    ]
    dependencies: Annotated[
        dict[str, Literal["up", "down"]],
        msgspec.Meta(examples=[{"database": "up", "replica": "up", "cache": "up"}]),
    ]


class OperationsController(Controller):
    """What a server says of itself."""

    path = "/"
    tags = ("Operation",)

    @get("/livez", access=ANYONE, summary="Tell whether the process runs")
    async def show_liveness(self) -> Alive:
        """200 while the process runs, whatever else is the matter."""
        return Alive()

    @get(
        "/readyz",
        access=ANYONE,
        summary="Tell whether the server can serve",
        other_answers={503: Readiness},
    )
    async def show_readiness(self, health: Injected[Health]) -> Response[Readiness]:
        """200 when it can serve, else 503, with the state of each dependency and no address."""
        states = await health.states()
        can_serve = health.can_serve(states)
        status: Literal["ready", "degraded", "unavailable"] = "ready" if all(states.values()) else "degraded"
        shown = Readiness(
            status=status if can_serve else "unavailable",
            dependencies={name: "up" if is_up else "down" for name, is_up in states.items()},
        )
        headers = {} if can_serve else {"retry-after": "1"}
        return Response(shown, status_code=200 if can_serve else 503, headers=headers)


async def _answers(dependency: Dependency) -> bool:
    try:
        await asyncio.wait_for(_probe(dependency), timeout=_PROBE_SECONDS)
    except Exception:  # noqa: BLE001  whatever is the matter, it does not answer
        return False
    return True


async def _probe(dependency: Dependency) -> None:
    await dependency.probe()
