"""Which of several servers is the primary: the one that says so on the highest timeline."""

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from midrise.foundation.database.node import Node
from midrise.foundation.errors import Unavailable

log = structlog.get_logger()

_FIND_SECONDS = 1.0
"""How long a caller waits while the primary is looked for: a planned promotion takes about as long."""
_FIRST_SECONDS = 5.0
"""How long where it was not known yet: a process that has just started on a busy machine takes its time."""
_MOST_WAITING = 200


class Election:
    """Knows the primary among servers of one database, and finds it anew when it is lost.

    A promotion begins a timeline. So of two servers that say they are the primary, the one on the lower
    timeline is an old one that came back and does not know it yet: it is never written to. Nor is any that is
    on a lower timeline than this process has ever seen, were it a replica's. After a loss nobody is believed
    before every server that can answer has been looked at again.
    """

    def __init__(self, nodes: Sequence[Node], *, on_look: Callable[[Node], None]) -> None:
        self.nodes = nodes
        self._on_look = on_look
        self.primary = nodes[0]
        self._found = asyncio.Event()
        self._changed = asyncio.Event()
        self._lost_at = 0.0
        self._waiting = 0
        self._system: int | None = None
        self._newest_timeline = 0
        self._is_started = False
        if len(nodes) == 1:
            # Whoever stands behind the only address is the primary, or there is none: it refuses if it isn't.
            self._found.set()

    def start(self) -> None:
        """Begin to look at every server, again and again."""
        if not self._is_started:
            self._is_started = True
            for node in self.nodes:
                node.start(on_look=self._take_note)

    async def find_primary(self) -> Node:
        """The primary. Raises `Unavailable` where none is found in time."""
        if self._found.is_set():
            return self.primary
        self.start()
        if self._waiting >= _MOST_WAITING:
            raise Unavailable
        self._waiting += 1
        try:
            async with asyncio.timeout(_FIRST_SECONDS if self._system is None else _FIND_SECONDS):
                await self._found.wait()
        except TimeoutError as nobody:
            raise Unavailable from nobody
        finally:
            self._waiting -= 1
        return self.primary

    def doubt(self, node: Node, *, began: float) -> None:
        """Work that began then failed as if this were no primary: have it found anew, by new connections."""
        if node is self.primary and node.renewed_at < began:
            node.throw_away_connections()
            self._lose()

    async def changed(self, since: Node) -> None:
        """Wait until another server than this one is the primary."""
        while self.primary is since:
            await self._changed.wait()

    def _lose(self) -> None:
        if len(self.nodes) > 1:
            self._found.clear()
            self._lost_at = time.monotonic()
            for node in self.nodes:
                node.look_now()

    def _take_note(self, node: Node) -> None:
        """Draw the conclusions from a look at a server."""
        self._on_look(node)
        system, newest_timeline = self._history()
        if system == self._system:
            self._newest_timeline = newest_timeline
        winner = self._winner(system, newest_timeline)
        if winner is not self.primary and self._found.is_set():
            self._lose()
        if winner is None:
            # The name of a server may mean another one by now.
            node.connect_anew()
        elif not self._found.is_set() and self._all_are_asked():
            self._system, self._newest_timeline = system, newest_timeline
            self._choose(winner)

    def _history(self) -> tuple[int | None, int]:
        """The system that this is about, and its newest timeline.

        It is the system of the first server that answers, and stays so as long as any of it answers.
        """
        known = [node.position for node in self.nodes if node.answers and node.position is not None]
        systems = [position.system for position in known]
        system = systems[0] if systems and self._system not in systems else self._system
        timelines = [position.timeline for position in known if position.system == system]
        if system == self._system:
            timelines.append(self._newest_timeline)
        return system, max(timelines, default=0)

    def _winner(self, system: int | None, timeline: int) -> Node | None:
        claimants = [
            node
            for node in self.nodes
            if node.claims_to_be_primary
            and node.position is not None
            and (node.position.system, node.position.timeline) == (system, timeline)
        ]
        return self.primary if self.primary in claimants else next(iter(claimants), None)

    def _all_are_asked(self) -> bool:
        """Whether every server was looked at since the loss, but for those that don't answer anyway."""
        return all(
            node.looked_at is not None and (node.looked_at > self._lost_at or not node.answers)
            for node in self.nodes
        )

    def _choose(self, winner: Node) -> None:
        if winner is not self.primary:
            log.warning("database.primary_changed", node=winner.pool.process, timeline=self._newest_timeline)
            # If the old one still lives, nothing more may be committed there.
            self.primary.write_pool.cut()
            self.primary = winner
            # Those that are open say still that they lead to a replica, until they are used again.
            winner.throw_away_connections()
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
        for node in self.nodes:
            node.primary_timeline = self._newest_timeline
        self._found.set()
