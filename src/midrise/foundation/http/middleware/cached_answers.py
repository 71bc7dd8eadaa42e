"""Answers from the cache, before the framework is entered, and what it answers into the cache."""

import hashlib
from collections.abc import Awaitable
from functools import lru_cache
from typing import Any

from midrise.foundation.actor import Actor
from midrise.foundation.cache.reads import CachedReads, Glance, Reading
from midrise.foundation.database.positions import Consistency
from midrise.foundation.errors import Fault, FaultCode, InvalidParameters, NotFound
from midrise.foundation.http.access import check_caller
from midrise.foundation.http.asgi import App, Message, Receive, Scope, Send
from midrise.foundation.http.caching import PlannedCall
from midrise.foundation.http.etags import LONGEST_IF_NONE_MATCH, is_known
from midrise.foundation.http.kept_answer import KeptAnswer
from midrise.foundation.observability.metrics import CACHE_ANSWERS
from midrise.foundation.observability.tallies import Tally

_KEPT_HEADERS = frozenset({b"content-type", b"cache-control", b"etag", b"link"})
_TAG_BYTES = 12
_FIRST_FAILURE = 500

HIT = "hit"
"""The outcome of an answer that this process remembered."""


class CachedAnswers:
    """Looks whether the answer is remembered; where it isn't, has it made once for all who ask meanwhile."""

    def __init__(self, app: App, *, reads: CachedReads[KeptAnswer]) -> None:
        self._app = app
        self._reads = reads

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        planned: PlannedCall | None = scope["state"].get("planned")
        if planned is None or not _is_allowed(planned, scope):
            return self._app(scope, receive, send)
        return self._answer(planned, scope, receive, send)

    async def _answer(self, planned: PlannedCall, scope: Scope, receive: Receive, send: Send) -> None:
        scope["path_template"] = planned.plan.template
        known = _find_if_none_match(scope)
        glance: Glance | None = scope["state"].get("glance")
        request: Consistency | None = scope["state"].get("consistency")
        if request is not None:
            request.kept_horizon = glance.horizon if glance is not None else None
            request.is_to_settle = glance is not None and request.kept_horizon is None
            request.prefers_primary = glance is None
        if glance is not None:
            answer = self._reads.find_near(planned.key(scope["state"]["actor"]), glance)
            if answer is not None:
                count_answer(planned.plan.template, HIT)
                await _send(answer, scope, send, known=known)
                return
        making = _Making(self._app, scope if known is None else _without_if_none_match(scope), receive)
        answer, outcome = await self._find(planned, glance, making)
        count_answer(planned.plan.template, outcome)
        if answer is None:
            # What was made is shown to this caller alone: an error, or what may not be remembered.
            answer = making.kept
            if answer is None or answer.missing is not None:
                await making.send(send)
                return
        await _send(answer, scope, send, known=known)

    async def _find(
        self, planned: PlannedCall, glance: Glance | None, making: "_Making"
    ) -> tuple[KeptAnswer | None, str]:
        key = planned.key(making.actor)
        if glance is None:
            if not making.is_anyones:
                await making.make()
                return None, "bypass"
            answer = await self._reads.read_in_rounds(key, making.read)
            if answer is None and not making.is_made:
                await making.make()
            return (None, "bypass") if making.is_made else (answer, "joined")
        answer = await self._reads.find_far(key, glance)
        if answer is not None:
            return answer, "shared_hit"
        answer = await self._reads.read(key, glance, making.read)
        if making.is_made:
            return None, "miss"
        if answer is not None:
            return answer, "joined"
        await making.make()
        return None, "miss"


def count_answer(template: str, outcome: str) -> None:
    """Count an answer that may be remembered, by where it came from."""
    _tally(template, outcome).add()


@lru_cache(maxsize=1024)
def _tally(template: str, outcome: str) -> Tally:
    return CACHE_ANSWERS.of((template, outcome))


class _Making:
    """The framework's answer to one request, caught."""

    def __init__(self, app: App, scope: Scope, receive: Receive) -> None:
        self._app = app
        self._scope = scope
        self._receive = receive
        self._messages: list[Message] = []
        self.actor: Actor = scope["state"]["actor"]
        self.is_made = False
        self.kept: KeptAnswer | None = None
        """What may be remembered of it: what was found, and that there is no such thing."""

    async def make(self) -> None:
        await self._app(self._scope, self._receive, self._catch)
        self.is_made = True
        self.kept = self._find_kept()

    async def read(self) -> Reading[KeptAnswer]:
        await self.make()
        request: Consistency | None = self._scope["state"].get("consistency")
        is_failure = self._messages[0]["status"] >= _FIRST_FAILURE
        if request is None:
            return Reading(self.kept, is_failure=is_failure)
        return Reading(self.kept, request.xmin, request.next_xid, is_failure)

    @property
    def is_anyones(self) -> bool:
        """Whether the caller is nobody in particular, and has seen nothing that it must not fall behind."""
        request: Consistency | None = self._scope["state"].get("consistency")
        return self.actor.user_id is None and (request is None or request.required is None)

    async def send(self, send: Send) -> None:
        for message in self._messages:
            await send(message)

    async def _catch(self, message: Message) -> None:
        self._messages.append(message)

    def _find_kept(self) -> KeptAnswer | None:
        start = self._messages[0]
        request: Consistency | None = self._scope["state"].get("consistency")
        reached = request.reached if request else None
        place = (reached.system, reached.timeline, reached.lsn) if reached else None
        if start["status"] == 404:
            error = self._scope["state"].get("error")
            return KeptAnswer(missing=error.resource, place=place) if isinstance(error, NotFound) else None
        if start["status"] != 200:
            return None
        parts = [message.get("body", b"") for message in self._messages[1:]]
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        headers = {name: value for name, value in start["headers"] if name in _KEPT_HEADERS}
        if b"etag" not in headers:
            digest = hashlib.sha256(body, usedforsecurity=False).digest()
            headers[b"etag"] = b'"%b"' % digest[:_TAG_BYTES].hex().encode()
        tag = headers[b"etag"].decode("latin-1").strip('"')
        headers[b"content-length"] = b"%d" % len(body)
        return KeptAnswer(tuple(headers.items()), body, tag, place=place)


def _is_allowed(planned: PlannedCall, scope: Scope) -> bool:
    """Whether the caller may have the answer; where not, the framework says why."""
    return check_caller(planned.plan.access, scope["state"]) is None


def _find_if_none_match(scope: Scope) -> str | None:
    """What the client knows. Raises `InvalidParameters` for what is too long to be compared."""
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            if len(value) > LONGEST_IF_NONE_MATCH:
                limit = {"limit": LONGEST_IF_NONE_MATCH}
                raise InvalidParameters([Fault(FaultCode.TOO_LONG, header="If-None-Match", arguments=limit)])
            return str(value, "latin-1")
    return None


def _without_if_none_match(scope: Scope) -> Scope:
    """The request as if the client knew nothing: what is remembered must be whole."""
    return {**scope, "headers": [header for header in scope["headers"] if header[0] != b"if-none-match"]}


async def _send(answer: KeptAnswer, scope: Scope, send: Send, *, known: str | None) -> None:
    request: Consistency | None = scope["state"].get("consistency")
    if request is not None and answer.position is not None:
        request.note_shown(answer.position)
    if answer.missing is not None:
        raise NotFound(answer.missing)
    headers: Any = answer.headers
    if known is not None and is_known(known, answer.tag):
        headers = list(answer.unchanged_headers)
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        return
    await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
