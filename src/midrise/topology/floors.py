"""Every floor of a plan: made from it, raised in order, and lowered in the reverse order."""

import asyncio
import contextlib
import json
from collections.abc import Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any

from midrise.topology.component import Component
from midrise.topology.embedded import EmbeddedDatabase
from midrise.topology.errors import Refused
from midrise.topology.events import Administrator, Noted, Status, Tell, timed
from midrise.topology.fleet import Fleet
from midrise.topology.gateway import GatewaySettings
from midrise.topology.instances import ApiInstance, Worker, run_job
from midrise.topology.kept import Kept, State
from midrise.topology.leftovers import ProcessRecord
from midrise.topology.nginx import Gateway
from midrise.topology.outside import first_unreachable
from midrise.topology.plan import Plan
from midrise.topology.privileges import Account, server_account
from midrise.topology.state import StateFolder
from midrise.topology.together import together
from midrise.topology.trouble import full_disk, has_space
from midrise.topology.valkey import Valkey

SPACE_FOR_NEW_BYTES = 128 * 1024 * 1024
"""What an empty database takes, with room for its first journal."""
UNWANTED = {State.RESTARTING, State.STOPPED}


class Floors:
    """The processes of one topology. ``administrator`` is the first one, if this run made it."""

    def __init__(self, plan: Plan, state: StateFolder, *, tell: Tell) -> None:
        self.administrator: Administrator | None = None
        self._plan = plan
        self._state = state
        self._tell = tell
        self._record = ProcessRecord(state.processes)
        self._account = server_account()
        # A user of the machine may not be able to read where Midrise is installed; a namespace can.
        self._python_account = Account(prefix=self._account.prefix)
        self._sockets = state.sockets

        self._database = (
            EmbeddedDatabase(state, replicas=plan.embedded_replicas, record=self._record, keep=self._kept)
            if plan.embeds_database
            else None
        )
        cache = Valkey(state.valkey, sockets=self._sockets)
        self._cache = [self._kept(cache)] if plan.embeds_cache else []
        self.environment = self._make_environment(cache)
        self._worker = self._kept(
            Worker(
                sockets=self._sockets,
                mail=state.mail,
                environment=self.environment,
                account=self._python_account,
            )
        )
        gateway = Gateway(_gateway_settings(plan, state.gateway, sockets=self._sockets))
        self._fleet = Fleet(self._kept(gateway), configuration=gateway, keep_instance=self._kept_instance)
        self._gateway = gateway
        self._is_raised = False

    async def raise_all(self) -> None:
        """Start everything, each part as soon as what it needs is ready; raises Refused."""
        await self._check_first()
        async with together() as group:
            await self._raise_in_order(group)
        await self._timed_start("gateway", self._fleet.start_gateway())
        self._is_raised = True

    async def lower(self) -> None:
        """Stop everything: first what takes requests, last what holds the data."""
        self._is_raised = False
        if self._database:
            await self._database.break_off()
        serving = [self._fleet.gateway, *self._fleet.ordered, self._worker]
        await self._stop(serving, self._fleet.stop(), self._worker.stop())
        for floor in ([*self._replicas, *self._cache], self._primary):
            await self._stop(floor, *(kept.stop() for kept in floor))

    def hurry(self) -> None:
        """Don't wait for requests any more: what is being stopped ends now."""
        for kept in self._all:
            kept.hurry()

    def status(self) -> Status:
        processes = tuple(kept.status for kept in self._all)
        fine = self._fleet.serves and not any(kept.state in UNWANTED for kept in self._all)
        return Status(self._plan.address, self._is_raised and fine, processes)

    async def scale(self, count: int, *, tell: Tell) -> None:
        self._refuse_unless_raised()
        await self._fleet.scale(count, tell=tell)

    async def restart(self, *, tell: Tell) -> None:
        """Bring the schema to the installed version, then replace worker and instances."""
        self._refuse_unless_raised()
        with timed("migrations", "running", tell=tell):
            await self._run_job("migrate")
        with timed("worker", "replacing", tell=tell):
            await self._worker.replace()
        await self._fleet.restart(tell=tell)

    async def promote(self, name: str, *, tell: Tell) -> None:
        """Make a replica the primary; API instances and worker find it by themselves."""
        self._refuse_unless_raised()
        if self._database is None:
            raise Refused(
                "The database is an outside one: promote its replica there, "
                "and API instances and worker find the new primary by themselves"
            )
        had_mark = self._administrator_mark.exists()
        try:
            await self._database.promote(name, tell=tell)
        finally:
            self.environment.update(self._database.environment())
            if had_mark:
                self._administrator_mark.touch()

    @property
    def _primary(self) -> list[Kept]:
        return [self._database.primary] if self._database else []

    @property
    def _replicas(self) -> Sequence[Kept]:
        return self._database.replicas if self._database else ()

    @property
    def _administrator_mark(self) -> Path:
        """Says that the first administrator was made, where the data are."""
        folder = self._database.folder if self._database else self._state.home
        return folder / "midrise.administrator"

    @property
    def _all(self) -> list[Kept]:
        databases = [*self._primary, *self._replicas, *self._cache]
        return [*databases, self._worker, *self._fleet.ordered, self._fleet.gateway]

    async def _check_first(self) -> None:
        """Find out what can be known before anything is started."""
        self._refuse_small_disk()
        await self._gateway.write()
        if self._plan.database_url and (server := await first_unreachable([self._plan.database_url])):
            raise Refused(
                f"The database at {server} can't be reached: check MIDRISE_DATABASE_URL and the server"
            )
        others = [*self._plan.replica_urls, *([self._plan.redis_url] if self._plan.redis_url else [])]
        if server := await first_unreachable(others):
            self._tell(
                Noted(f"{server} can't be reached now; Midrise starts without it and takes it when it can")
            )

    def _refuse_small_disk(self) -> None:
        needed = SPACE_FOR_NEW_BYTES * (1 + self._plan.embedded_replicas)
        is_new = self._database is not None and not self._database.has_cluster
        if is_new and not has_space(self._state.home, least_bytes=needed):
            raise Refused(full_disk(self._state.home))

    async def _raise_in_order(self, group: asyncio.TaskGroup) -> None:
        caches = [group.create_task(self._start(kept)) for kept in self._cache]
        for kept in self._primary:
            await self._start(kept)
        for kept in self._replicas:
            group.create_task(self._start(kept))
        with timed("migrations", "running", tell=self._tell):
            await self._run_job("migrate")
        for cache in caches:
            await cache
        group.create_task(self._make_administrator())
        group.create_task(self._start(self._worker))
        numbers = range(1, self._plan.instances + 1)
        names = f"api.1 to api.{self._plan.instances}" if self._plan.instances > 1 else "api.1"
        group.create_task(self._timed_start(names, self._fleet.start_instances(numbers)))

    async def _start(self, kept: Kept) -> None:
        with timed(kept.component.name, kept.component.doing, tell=self._tell):
            await kept.start()

    async def _timed_start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        with timed(name, "starting", tell=self._tell):
            await work

    async def _stop(self, floor: Iterable[Kept], *work: Coroutine[Any, Any, None]) -> None:
        """Stop the processes of a floor by this work, and tell of those that run."""
        names = ", ".join(kept.component.name for kept in floor if kept.state is not State.STOPPED)
        with timed(names, "stopping", tell=self._tell) if names else contextlib.nullcontext():
            await asyncio.gather(*work)

    async def _make_administrator(self) -> None:
        """Make the first administrator, once in the life of an embedded database."""
        if self._plan.embeds_database and self._administrator_mark.exists():
            return
        given = self._plan.admin_password
        with timed("administrator", "making the first one", tell=self._tell):
            answer = await self._run_job(
                *("admin", "create", "--email", self._plan.admin_email, "--if-none", "--json"),
                *(("--password-stdin",) if given else ()),
                input_text=f"{given}\n" if given else "",
            )
        made = json.loads(answer)
        if made["created"]:
            self.administrator = Administrator(made["email"], made["password"])
        if self._plan.embeds_database:
            self._administrator_mark.touch()

    async def _run_job(self, *arguments: str, input_text: str = "") -> str:
        return await run_job(
            f"midrise {' '.join(arguments[:2])}",
            *arguments,
            environment=self.environment,
            account=self._python_account,
            input_text=input_text,
        )

    def _make_environment(self, cache: Valkey) -> dict[str, str]:
        plan = self._plan
        environment = {**plan.environment, "MIDRISE_HOME": str(self._state.home)}
        if self._database:
            environment |= self._database.environment()
        if plan.embeds_cache:
            environment["MIDRISE_REDIS_URL"] = cache.url
        if not plan.has_master_secret:
            environment["MIDRISE_MASTER_SECRET_FILE"] = str(self._state.master_secret)
        return environment

    def _kept(self, component: Component) -> Kept:
        return Kept(component, logs=self._state.logs, record=self._record, tell=self._tell)

    def _kept_instance(self, number: int) -> Kept:
        return self._kept(
            ApiInstance(
                number, sockets=self._sockets, environment=self.environment, account=self._python_account
            )
        )

    def _refuse_unless_raised(self) -> None:
        if not self._is_raised:
            raise Refused("Midrise is starting or stopping: try again when it is ready")


def _gateway_settings(plan: Plan, folder: Path, *, sockets: Path) -> GatewaySettings:
    return GatewaySettings(
        folder=folder,
        sockets=sockets,
        host=plan.host,
        port=plan.port,
        instances=(),
        tls_certificate=plan.tls_certificate,
        tls_key=plan.tls_key,
        trusted_proxies=plan.trusted_proxies,
        cors_origins=plan.cors_origins,
    )
