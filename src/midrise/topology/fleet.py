"""The API instances behind the gateway: as many as ordered, replaced one by one without a failed request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from pathlib import Path

from midrise.topology.errors import Refused
from midrise.topology.events import Tell, timed
from midrise.topology.instances import ApiInstance
from midrise.topology.kept import Kept, State
from midrise.topology.nginx import Gateway
from midrise.topology.together import together

MOST_INSTANCES = 64
DRAIN_LIMIT_S = 120
"""How long an instance that gets no new requests is left alone with its old ones before it is told to end."""


class Fleet:
    """Instances and gateway. ``keep_instance`` gives the keeper of an instance by its number."""

    def __init__(self, gateway: Kept, *, configuration: Gateway, keep_instance: Callable[[int], Kept]) -> None:
        self.gateway = gateway
        self.instances: dict[int, Kept] = {}
        self._configuration = configuration
        self._keep_instance = keep_instance
        self._changing = asyncio.Lock()

    @property
    def ordered(self) -> list[Kept]:
        return [kept for _, kept in sorted(self.instances.items())]

    @property
    def serves(self) -> bool:
        """Whether a request to the gateway finds an instance."""
        answering = any(kept.state is State.RUNNING for kept in self.instances.values())
        return answering and self.gateway.state is State.RUNNING

    async def start_instances(self, numbers: Iterable[int]) -> None:
        """Start instances side by side; raises Refused if one doesn't become ready."""
        keepers = {number: self._keep_instance(number) for number in numbers}
        self.instances |= keepers
        try:
            async with together() as group:
                for kept in keepers.values():
                    group.create_task(kept.start())
        except BaseException:
            await self._remove(keepers)
            raise

    async def start_gateway(self) -> None:
        self._configuration.instances = self._sockets()
        await self.gateway.start()

    async def stop(self) -> None:
        """Finish the requests, then end: the gateway first, so that no new ones come."""
        await self.gateway.stop()
        await asyncio.gather(*(kept.stop() for kept in self.instances.values()))

    async def scale(self, count: int, *, tell: Tell) -> None:
        """Start or stop instances until there are so many."""
        if not 0 < count <= MOST_INSTANCES:
            raise Refused(f"There can be 1 to {MOST_INSTANCES} API instances, not {count}")
        async with self._change():
            await self._scale(count, tell=tell)

    async def restart(self, *, tell: Tell) -> None:
        """Replace every instance, one after the other, each while it gets no requests."""
        async with self._change():
            numbers = sorted(self.instances)
            if len(numbers) == 1:
                await self._scale(2, tell=tell)
            try:
                for number in numbers:
                    with timed(f"api.{number}", "replacing", tell=tell):
                        await self._route(leaving={number})
                        await self.instances[number].replace()
            finally:
                await self._route()
            await self._scale(len(numbers), tell=tell)

    async def _scale(self, count: int, *, tell: Tell) -> None:
        surplus = sorted(self.instances)[count:]
        missing = sorted(set(range(1, MOST_INSTANCES + 1)) - set(self.instances))[: count - len(self.instances)]
        if missing and not surplus:
            with timed(_names(missing), "starting", tell=tell):
                await self.start_instances(missing)
                await self._route()
        if surplus:
            with timed(_names(surplus), "finishing requests, stopping", tell=tell):
                await self._route(leaving=set(surplus))
                await self._remove(surplus)

    async def _remove(self, numbers: Iterable[int]) -> None:
        await asyncio.gather(*(self.instances[number].stop() for number in numbers))
        for number in numbers:
            del self.instances[number]

    async def _route(self, *, leaving: AbstractSet[int] = frozenset()) -> None:
        """Let the gateway send requests to all instances but these; these have none left at the end."""
        self._configuration.instances = self._sockets(leaving=leaving)
        await self._configuration.write()
        if self.gateway.pid:
            old_workers = await self._configuration.reload(self.gateway.pid)
            if leaving:
                await self._configuration.drained(old_workers, limit_s=DRAIN_LIMIT_S)

    def _sockets(self, *, leaving: AbstractSet[int] = frozenset()) -> tuple[Path, ...]:
        components = (
            kept.component for number, kept in sorted(self.instances.items()) if number not in leaving
        )
        return tuple(component.socket for component in components if isinstance(component, ApiInstance))

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        if self._changing.locked():
            raise Refused("The API instances are being changed already: try again when that is done")
        async with self._changing:
            yield


def _names(numbers: Iterable[int]) -> str:
    return ", ".join(f"api.{number}" for number in numbers)
