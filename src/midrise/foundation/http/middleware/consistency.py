"""`Consistency-Token`: what a client has seen or written comes with its request, and leaves with the answer."""

import asyncio
from collections.abc import Awaitable

from midrise.foundation.actor import Actor
from midrise.foundation.admission import writes_generation
from midrise.foundation.cache.generations import Seen, ValkeyGenerations
from midrise.foundation.database.nodes import Nodes
from midrise.foundation.database.positions import (
    Consistency,
    ConsistencyTokens,
    InvalidConsistencyToken,
    consistency,
)
from midrise.foundation.http.answer_head import answer_head
from midrise.foundation.http.asgi import App, Receive, Scope, Send, header_of
from midrise.foundation.http.middleware.error_boundary import send_problem

_VERSIONED_PREFIX = "/v1/"


class ConsistencyHeaders:
    """Reads the token of a request, and puts the furthest place that it has come to on the answer.

    A token that was changed is refused.
    """

    def __init__(self, app: App, *, tokens: ConsistencyTokens, nodes: Nodes) -> None:
        self._app = app
        self._tokens = tokens
        self._nodes = nodes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if not scope["path"].startswith(_VERSIONED_PREFIX):
            return self._app(scope, receive, send)
        request = Consistency()
        scope["state"]["consistency"] = request

        def token() -> tuple[bytes, bytes]:
            return b"consistency-token", self._tokens.sign(request.told(self._nodes.known())).encode()

        answer_head(scope).late.append(token)
        header = header_of(scope, b"consistency-token")
        try:
            request.required = self._tokens.read(header) if header else None
        except InvalidConsistencyToken as refused:
            return send_problem(refused, scope, send)
        return self._app(scope, receive, send)


class ConsistencyOfRequest:
    """Has every read and write of a request, once it is admitted, take part in its consistency.

    What admission itself reads is nothing that the client is shown.
    """

    def __init__(self, app: App, *, generations: ValkeyGenerations | None = None) -> None:
        self._app = app
        self._generations = generations
        self._settling: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request: Consistency | None = scope["state"].get("consistency")
        if request is None:
            await self._app(scope, receive, send)
            return
        actor: Actor = scope["state"]["actor"]
        request.known_caller = actor.user_id is not None
        writer_id = actor.session_id or actor.api_key_id
        request.writer = writes_generation(writer_id) if writer_id else None
        writes: Seen | None = scope["state"].get("writes")
        request.own_horizon = writes.horizon if writes else None
        before = consistency.set(request)
        try:
            await self._app(scope, receive, send)
        finally:
            consistency.reset(before)
            if writes is not None and writes.horizon is None and request.next_xid is not None:
                self._settle_soon(writes, request.next_xid)

    def _settle_soon(self, writes: Seen, next_xid: int) -> None:
        """From now on a replica can tell whether it has all that this session wrote. Nobody waits for that."""
        if self._generations is not None:
            task = asyncio.create_task(self._generations.settle(writes, next_xid=next_xid))
            self._settling.add(task)
            task.add_done_callback(self._settling.discard)
