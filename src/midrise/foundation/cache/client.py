"""The cache as the rest sees it: it answers within its budget, or it is away and costs nothing.

A cache may vanish, hang or talk nonsense at any moment. To a caller all of these are one thing,
`CacheUnavailable`, and after the first the others learn it at once instead of waiting as well.
"""

import hashlib
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.exceptions import NoScriptError, RedisError

from midrise.foundation.cache.calls import Argument, Waiter
from midrise.foundation.cache.connection import open_source
from midrise.foundation.cache.settings import CacheSettings
from midrise.foundation.cache.shared_connection import SharedConnection

log = structlog.get_logger()


class CacheUnavailable(Exception):
    """The cache is away, too slow, or answers what makes no sense. Never shown to a client."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script that the server runs in one piece and in one round trip."""

    source: str
    sha1: str = field(init=False)

    def __post_init__(self) -> None:
        # The protocol names scripts by SHA-1; nothing here rests on its strength.
        digest = hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "sha1", digest)


class ValkeyCache:
    """A Valkey or Redis server by URL. Every call raises `CacheUnavailable` where there is no good answer."""

    def __init__(self, settings: CacheSettings) -> None:
        self._settings = settings
        self._source = open_source(settings)
        self._shared = SharedConnection(
            self._source.make_connection, budget_seconds=settings.call_budget_seconds
        )
        self._is_away = False
        self._resting_until = 0.0

    @property
    def is_away(self) -> bool:
        """Whether the last call that reached for the cache failed."""
        return self._is_away

    @property
    def server_id(self) -> str | None:
        """Which server answers, by its run id; None while there is no connection."""
        return self._shared.server_id

    def execute(self, *command: Argument) -> Awaitable[Any]:
        """Run one command and return its answer; texts are bytes."""
        return self._call(*command)

    def run(self, script: Script, *, keys: Sequence[str], arguments: Sequence[Argument] = ()) -> Awaitable[Any]:
        """Run a script by its digest; its text goes over the line only where the server doesn't know it yet."""
        return self._call("EVALSHA", script.sha1, len(keys), *keys, *arguments, script=script)

    def ask(self, packed: bytes, waiter: Waiter) -> bool:
        """Have somebody told the answer to a packed command; False while the cache is away: then nobody is.

        What goes wrong is told as it is, to be handed on to `note_failure`.
        """
        if self._is_away:
            return False
        self._shared.ask(packed, waiter)
        return True

    def note_failure(self, error: Exception) -> None:
        """A call that was asked for by `ask` failed: others need not wait to find out."""
        if not isinstance(error, NoScriptError):
            self._rest(reason=type(error).__name__)

    async def ping(self) -> None:
        """Ask whether it is there, also while it is left alone; a good answer ends that at once."""
        answer = await self._call("PING", may_rest=False)
        if answer != b"PONG":
            raise self.distrust(answer)

    async def check(self) -> bool:
        """Whether it answers."""
        try:
            await self.ping()
        except CacheUnavailable:
            return False
        return True

    def distrust(self, answer: object) -> CacheUnavailable:
        """The error to raise for an answer that makes no sense; the cache is left alone for a while."""
        self._rest(reason=f"unexpected answer of type {type(answer).__name__}")
        return CacheUnavailable("The cache gave an answer that makes no sense")

    async def close(self) -> None:
        await self._shared.close()
        await self._source.close()

    def _refuse_while_resting(self) -> None:
        now = time.monotonic()
        if now < self._resting_until:
            raise CacheUnavailable("The cache was away a moment ago")
        # This call tries; until it knows, the others go on without the cache.
        self._resting_until = now + self._settings.rest_seconds

    async def _call(self, *command: Argument, script: Script | None = None, may_rest: bool = True) -> Any:
        if self._is_away and may_rest:
            self._refuse_while_resting()
        try:
            answer = await self._shared.call(*command)
        except NoScriptError:
            if script is None:
                raise
            return await self._call("EVAL", script.source, *command[2:])
        except (RedisError, OSError, TimeoutError) as error:
            self._rest(reason=type(error).__name__)
            raise CacheUnavailable(f"The cache failed: {type(error).__name__}") from error
        if self._is_away:
            self._come_back()
        return answer

    def _rest(self, *, reason: str) -> None:
        self._resting_until = time.monotonic() + self._settings.rest_seconds
        if not self._is_away:
            self._is_away = True
            log.warning("cache.away", endpoint=str(self._settings.endpoint), reason=reason)

    def _come_back(self) -> None:
        self._is_away = False
        log.info("cache.back", endpoint=str(self._settings.endpoint))
