"""The embedded PostgreSQL servers together: which there are, what each is called, and which is the primary."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from midrise.topology import logs, promotion
from midrise.topology.component import Component
from midrise.topology.errors import Refused
from midrise.topology.events import Noted, Tell, timed
from midrise.topology.kept import Kept, State
from midrise.topology.leftovers import ProcessRecord
from midrise.topology.places import Place, find_primary, replica_numbers, replica_places
from midrise.topology.postgres import PostgresPrimary, PostgresReplica
from midrise.topology.state import StateFolder

FOLLOW_LIMIT_S = 30
PRIMARY = "postgres.primary"


class EmbeddedDatabase:
    """A primary and its replicas. ``keep`` gives the keeper of a server."""

    def __init__(
        self,
        state: StateFolder,
        *,
        replicas: int,
        record: ProcessRecord,
        keep: Callable[[Component], Kept],
    ) -> None:
        self._state = state
        self._record = record
        self._primary_place = find_primary(state.postgres)
        places = [self._primary_place, *replica_places(self._primary_place, replicas)]
        self._kept = {place: keep(server) for place, server in self._servers(places).items()}
        self._promoting: asyncio.Task[None] | None = None

    @property
    def primary(self) -> Kept:
        return self._kept[self._primary_place]

    @property
    def replicas(self) -> Sequence[Kept]:
        """In the order of their names."""
        others = [kept for place, kept in self._kept.items() if place != self._primary_place]
        return sorted(others, key=lambda kept: kept.component.name)

    @property
    def folder(self) -> Path:
        """Where the primary has its data."""
        return self._primary_place.folder

    @property
    def has_cluster(self) -> bool:
        return (self.folder / "PG_VERSION").exists()

    def environment(self) -> Mapping[str, str]:
        """Where API servers and commands find the database now."""
        servers = [kept.component for kept in self.replicas]
        urls = [server.url for server in servers if isinstance(server, PostgresReplica)]
        replica_urls = {"MIDRISE_REPLICA_URLS": ",".join(urls)} if urls else {}
        return {"MIDRISE_DATABASE_URL": primary_at(self._primary_place, self._state).url, **replica_urls}

    async def promote(self, name: str, *, tell: Tell) -> None:
        """Make a replica the primary, and have all others follow it.

        Nothing that was acknowledged is lost: the old primary is shut down first, and the replica gets its
        last. One that was promoted by hand before is only put in its place. Raises Refused.
        """
        replica = self._find_replica(name)
        if self._promoting is not None:
            raise Refused("A replica is being promoted already: try again when that is done")
        self._promoting = asyncio.create_task(self._promote(replica, tell))
        try:
            await asyncio.wait((self._promoting,))
            if self._promoting.cancelled():
                raise Refused("Midrise is being stopped: what was begun is finished at the next start")
            self._promoting.result()
        finally:
            self._promoting = None

    async def break_off(self) -> None:
        """End a promotion that is under way, at whatever step: the next start goes by what the folders say."""
        if self._promoting is not None:
            self._promoting.cancel()
            await asyncio.wait((self._promoting,))

    def _find_replica(self, name: str) -> Kept:
        names = [kept.component.name for kept in self.replicas]
        if name == PRIMARY:
            raise Refused(f"{PRIMARY} is the primary already; there are: {', '.join(names) or 'no replicas'}")
        if name not in names:
            raise Refused(f"There is no replica {name}; there are: {', '.join(names) or 'none'}")
        replica = self.replicas[names.index(name)]
        if replica.state is not State.RUNNING:
            raise Refused(f"{name} does not run now, it is {replica.state.value}: see midrise logs {name}")
        return replica

    async def _promote(self, replica: Kept, tell: Tell) -> None:
        old, server = self.primary, replica.component
        if not isinstance(server, PostgresReplica):
            raise TypeError(server)
        await self._refuse_other_promoted(replica)
        is_done = await promotion.is_promoted(server)
        if not is_done:
            await promotion.refuse_unfit(server)
            with timed(server.name, "catching up", tell=tell):
                await promotion.catch_up(server, server.primary)
        with timed(PRIMARY, "stopping", tell=tell):
            await old.stop()
        if not is_done:
            try:
                with timed(server.name, "becoming the primary", tell=tell):
                    await promotion.take_rest(server, server.primary)
                    await promotion.promote(server)
            except Refused:
                with timed(PRIMARY, "starting again", tell=tell):
                    await old.replace()
                raise
        self._rename(next(place for place, kept in self._kept.items() if kept is replica))
        await self._follow(old, tell=tell)

    async def _refuse_other_promoted(self, chosen: Kept) -> None:
        """What one holds that was promoted by hand would be lost if it followed another."""
        others = [kept for kept in self.replicas if kept is not chosen and kept.state is State.RUNNING]
        for server in (kept.component for kept in others):
            if isinstance(server, PostgresReplica) and await promotion.is_promoted(server):
                raise Refused(
                    f"{server.name} was promoted by hand before: promote that one, or lose what it has"
                )

    def _rename(self, primary: Place) -> None:
        """Call every server what it is now."""
        self._primary_place = primary
        servers = self._servers(list(self._kept))
        names = {kept.component.name: servers[place].name for place, kept in self._kept.items()}
        with contextlib.suppress(OSError):
            logs.rename(self._state.logs, names)
        self._record.rename(names)
        for place, kept in self._kept.items():
            kept.become(servers[place])

    async def _follow(self, old: Kept, *, tell: Tell) -> None:
        """Have the old primary and every replica follow the new one."""
        names = ", ".join(kept.component.name for kept in self.replicas)
        with timed(names, "following the new primary", tell=tell):
            await asyncio.gather(*(_follow(kept, tell=tell, is_new=kept is old) for kept in self.replicas))

    def _servers(self, places: Sequence[Place]) -> dict[Place, PostgresPrimary | PostgresReplica]:
        primary = primary_at(self._primary_place, self._state)
        numbers = replica_numbers(places, self._primary_place)
        return {
            place: PostgresReplica(numbers[place], place.folder, primary=primary, port=place.port)
            if place in numbers
            else primary
            for place in places
        }


def primary_at(place: Place, state: StateFolder) -> PostgresPrimary:
    return PostgresPrimary(place.folder, sockets=state.sockets, port=place.port)


def running_url(state: StateFolder) -> str:
    """The URL of the primary of a topology that runs. Raises Refused where there is none."""
    return primary_at(find_primary(state.postgres), state).url


async def _follow(kept: Kept, *, tell: Tell, is_new: bool) -> None:
    """Have one server follow; one that was a replica before goes on to answer meanwhile.

    What does not succeed is tried on by its keeper: the promotion stands.
    """
    server = kept.component
    try:
        if is_new:
            await kept.replace()
        elif isinstance(server, PostgresReplica):
            server.configure()
            kept.signal(signal.SIGHUP)
            if not await promotion.follows(server, limit_s=FOLLOW_LIMIT_S):
                tell(Noted(f"{server.name} does not follow yet: see midrise logs {server.name}"))
    except Refused as refused:
        tell(Noted(f"{server.name} does not follow yet, and is tried again: {refused}"))
