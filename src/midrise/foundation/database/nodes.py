"""The servers of the database: which one is written to, and which of them may answer a read."""

import asyncio
import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Any, Self

from midrise.foundation.database.election import Election
from midrise.foundation.database.errors import OldPrimary, tells_of_lost_primary
from midrise.foundation.database.hosts import each_host
from midrise.foundation.database.log_progress import LogProgress
from midrise.foundation.database.node import Node, is_on_replica
from midrise.foundation.database.pool import PoolSettings
from midrise.foundation.database.positions import Position
from midrise.foundation.errors import Unavailable
from midrise.foundation.observability.metrics import REPLICA_LAG_SECONDS, REPLICA_USABLE

__all__ = ["Node", "Nodes"]

_NEAR_SECONDS = 1.0
"""How far a replica may be behind that somebody keeps to while there are others."""


class Nodes:
    """The servers, in the order in which they were named; none of them has its role for ever."""

    def __init__(
        self, nodes: Sequence[Node], *, most_lag_seconds: float = 10.0, wait_seconds: float = 0.02
    ) -> None:
        self._nodes = nodes
        self._election = Election(nodes, on_look=self._note_place)
        self._most_lag_seconds = most_lag_seconds
        self._wait_seconds = wait_seconds
        self._turn = 0
        self._written: Position | None = None
        self._progress = LogProgress()

    @classmethod
    def of(
        cls,
        writing: PoolSettings,
        *,
        reading: PoolSettings,
        replica_urls: Sequence[str] = (),
        most_lag_seconds: float = 10.0,
    ) -> Self:
        """The servers that a URL of several hosts and the replicas' URLs name, each once."""
        urls = dict.fromkeys(host for url in (writing.url, *replica_urls) for host in each_host(url))
        names = ("read", *(f"replica {number}" for number in range(1, len(urls))))
        return cls(
            [
                Node(
                    replace(reading, url=url, process=f"{reading.process} {name}", read_only=True),
                    writing=replace(writing, url=url),
                )
                for url, name in zip(urls, names, strict=True)
            ],
            most_lag_seconds=most_lag_seconds,
        )

    @property
    def primary(self) -> Node:
        """The server that was the primary when it was last known; `find_primary` gives one that is it now."""
        return self._election.primary

    @property
    def replicas(self) -> Sequence[Node]:
        """The other servers, whatever they are just now."""
        primary = self.primary
        return [node for node in self._nodes if node is not primary]

    async def start(self) -> None:
        """Begin to watch, where there is anything to choose from."""
        if len(self._nodes) > 1:
            self._election.start()
            for node in self._nodes:
                # Asked when somebody reads them: which server is a replica, and how far, changes all the time.
                REPLICA_USABLE.labels(node.pool.process).set_function(partial(self._usable_number, node))
                REPLICA_LAG_SECONDS.labels(node.pool.process).set_function(partial(self._lag_number, node))

    async def close(self) -> None:
        for node in self._nodes:
            await node.close()

    async def find_primary(self) -> Node:
        """The primary. Raises `Unavailable` where it is lost and none is found within a second."""
        return await self._election.find_primary()

    async def primary_changed(self, since: Node) -> None:
        """Wait until another server than this one is the primary."""
        await self._election.changed(since)

    def refuse_old_primary(self, node: Node, connection: Any) -> None:
        """Raises `Unavailable` where a connection does not lead to the primary, as it was meant to."""
        if node is not self.primary or is_on_replica(connection):
            raise Unavailable from OldPrimary()

    def doubt(self, node: Node, trouble: BaseException | None, *, began: float) -> None:
        """Have the primary found anew, if what failed on a server may mean that it is none any more."""
        if tells_of_lost_primary(trouble):
            self._election.doubt(node, began=began)

    async def check_replicas(self) -> None:
        """Raises `Unavailable` where a replica may not be read from."""
        if not all(self._is_usable(node) for node in self.replicas):
            raise Unavailable

    def note_write(self, position: Position) -> None:
        """Something was committed through this process: reads of clients that say nothing shall see it too."""
        known = self._written
        if known is None or not position.is_comparable(known) or position.lsn > known.lsn:
            self._written = position

    def known(self) -> Position | None:
        """The furthest place of the primary that this process knows of.

        It is what reads want for clients that say nothing: so these are shown nothing older than a poll. While
        the primary is away it may have taken its last with it: then it is the furthest place of a replica.
        """
        polled = self.primary.position
        if polled and not self.primary.answers:
            left = [node.position for node in self.replicas if node.is_well and _shares_history(node, polled)]
            return max((place for place in left if place), key=lambda place: place.lsn, default=polled)
        if polled and self._written and self._written.is_comparable(polled):
            return max(polled, self._written, key=lambda place: place.lsn)
        return polled

    async def choose(self, wanted: Position | None, *, horizon: int = 0, keeping: str | None = None) -> Node:
        """The server for a read that may come from a replica: one that has reached what is wanted, and has seen
        the end of every transaction below the horizon.

        A replica that is there at once, or within a few milliseconds; else the primary. What is wanted of
        another history than the primary's, as from before a promotion, can only be judged there.

        Reads take the replicas in turn. Those ``keeping`` to one, by the name of who reads, have the same as
        long as it is usable, in every process: another one that has come as far may yet be behind it. While
        there is no primary, any that has come far enough will do.
        """
        known = self.known()
        if wanted is None or known is None or not wanted.is_comparable(known):
            return await self.find_primary()
        usable = [node for node in self.replicas if self._is_usable(node) and _shares_history(node, wanted)]
        if not usable:
            return await self.find_primary()
        ordered = self._in_turn(usable)
        if keeping is not None and self.primary.answers:
            ordered = [self._kept_to(usable, keeping)]
        ready = _first_at(ordered, wanted, horizon)
        # What the primary itself had not seen the end of a moment ago, a replica hardly sees within the wait:
        # and never while a long transaction is open.
        may_come = self.primary.xmin >= horizon or not self.primary.answers
        if ready is None and may_come:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ordered[0].moved.wait(), timeout=self._wait_seconds)
            ready = _first_at(ordered, wanted, horizon)
        return ready or await self.find_primary()

    def _in_turn(self, usable: Sequence[Node]) -> Sequence[Node]:
        self._turn += 1
        return [usable[(self._turn + offset) % len(usable)] for offset in range(len(usable))]

    def _kept_to(self, usable: Sequence[Node], name: str) -> Node:
        """The one with the highest rank for that name: when one goes, only who kept to it has to change."""
        if len(usable) == 1:
            return usable[0]
        near = [node for node in usable if self._lag_seconds(node) <= _NEAR_SECONDS]
        return max(near or usable, key=lambda node: _rank(name, node.url))

    def _is_usable(self, node: Node) -> bool:
        return node.is_well and node.is_replica and self._lag_seconds(node) <= self._most_lag_seconds

    def _lag_seconds(self, node: Node) -> float:
        """How long ago the primary was where the replica is now."""
        if self.primary.position is None or node.position is None:
            return math.inf
        return self._progress.seconds_behind(
            node.position.lsn, now=time.monotonic(), at_most=node.replayed_seconds_ago
        )

    def _usable_number(self, node: Node) -> float:
        return math.nan if node is self.primary else float(self._is_usable(node))

    def _lag_number(self, node: Node) -> float:
        return math.nan if node is self.primary else self._lag_seconds(node)

    def _note_place(self, node: Node) -> None:
        """Remember when the primary was where, to tell later how long ago a replica's place was the last."""
        if node is not self.primary or node.position is None:
            return
        if not self._progress.note(node.position.lsn, now=time.monotonic()):
            # A primary that was promoted, or restored: what was written to another may never be reached.
            self._written = None


def _first_at(nodes: Sequence[Node], wanted: Position, horizon: int) -> Node | None:
    return next(
        (
            node
            for node in nodes
            if node.xmin >= horizon and node.position is not None and node.position.covers(wanted)
        ),
        None,
    )


@lru_cache(maxsize=8192)
def _rank(name: str, url: str) -> bytes:
    return blake2b(f"{name} {url}".encode(), digest_size=8).digest()


def _shares_history(node: Node, wanted: Position) -> bool:
    return node.position is not None and node.position.is_comparable(wanted)
