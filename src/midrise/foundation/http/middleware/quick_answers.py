"""What this process remembers, answered in one step.

A `GET` of an answer that is remembered is most of what a server is asked, and going through the layers one by
one costs more than all that they do for it. So what they do is done here in a row, by the same functions and in
the same order; whatever is not as usual goes through the layers. Both answer alike, which a test holds.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, partial
from time import perf_counter

import msgspec
import structlog

from midrise.foundation.admission import Admission, Admitted, Caller, RateVerdict, Settling
from midrise.foundation.cache.reads import CachedReads
from midrise.foundation.database.nodes import Nodes
from midrise.foundation.database.positions import (
    NOWHERE,
    Consistency,
    ConsistencyTokens,
    InvalidConsistencyToken,
    Position,
)
from midrise.foundation.http.access import check_caller
from midrise.foundation.http.asgi import App, Receive, Scope, Send
from midrise.foundation.http.caching import CachePlans, PlannedCall
from midrise.foundation.http.etags import LONGEST_IF_NONE_MATCH, is_known
from midrise.foundation.http.kept_answer import KeptAnswer
from midrise.foundation.http.middleware.access_log import AccessLog, note_request
from midrise.foundation.http.middleware.admission_gate import actor_of, bearer_token, rate_lines
from midrise.foundation.http.middleware.body_limit import OF_A_BODY
from midrise.foundation.http.middleware.cached_answers import HIT, count_answer
from midrise.foundation.http.middleware.client_address import FORWARDED_FOR, Proxies, peer_of
from midrise.foundation.http.middleware.cors import Origins
from midrise.foundation.http.middleware.security_headers import USUAL_HEADERS
from midrise.foundation.http.protocol import SendWhole, find_whole, lines_of
from midrise.foundation.http.request_ids import ids_of
from midrise.foundation.observability.logs import RequestIds, request_ids

log = structlog.get_logger()

Headers = Mapping[bytes, bytes]


class _Call(msgspec.Struct, frozen=True):
    """A plain request for what may be remembered; ``required`` is what its client must not fall behind.

    ``start`` has it go through the layers, which find in ``state`` what is known of it by then.
    """

    planned: PlannedCall
    headers: Headers
    ids: RequestIds
    address: str
    required: Position | None
    started: float
    send_whole: SendWhole
    state: dict[str, object]
    start: Callable[[], object]

    def text(self, name: bytes) -> str:
        """The header of that name, or an empty text."""
        return str(self.headers.get(name, b""), "latin-1")


class QuickAnswers:
    """Answers what is remembered; hands all else on to ``app``, the layers one by one, with what is known then.

    ``log`` is that of the layers: both count the requests in progress together.
    """

    def __init__(
        self,
        app: App,
        *,
        plans: CachePlans,
        reads: CachedReads[KeptAnswer],
        admission: Admission,
        proxies: Proxies,
        origins: Origins,
        tokens: ConsistencyTokens,
        nodes: Nodes,
        log: AccessLog,
    ) -> None:
        self._app = app
        self._plans = plans
        self._reads = reads
        self._admission = admission
        self._proxies = proxies
        self._origins = origins
        self._tokens = tokens
        self._nodes = nodes
        self._log = log

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._app(scope, receive, send)

    def begin(self, scope: Scope, start: Callable[[], object]) -> bool:
        """Answer what is remembered as soon as the cache has told that it is of today; ``start`` all else then.

        No task waits for the cache, whose reader calls. False for what is no such request.
        """
        if scope["method"] != "GET":
            return False
        planned = self._plans.find(scope["path"], scope["query_string"])
        call = self._find_call(planned, scope, start) if planned is not None else None
        if call is None:
            return False
        is_asked = self._admission.admit_soon(
            partial(self._go_on, call),
            token=bearer_token(call.text(b"authorization")),
            address=call.address,
            generations=call.planned.generations,
        )
        if is_asked:
            self._log.in_progress += 1
        return is_asked

    def _go_on(self, call: _Call, verdict: Admitted | Settling) -> None:
        self._log.in_progress -= 1
        before = request_ids.set(call.ids)
        try:
            if isinstance(verdict, Admitted) and self._send(call, verdict):
                return
        except Exception:
            # Whatever it is: the layers know how to answer.
            log.exception("request.not_quick")
        finally:
            request_ids.reset(before)
        call.state.update(admission=verdict, started=call.started, ids=call.ids)
        call.start()

    def _find_call(self, planned: PlannedCall, scope: Scope, start: Callable[[], object]) -> _Call | None:
        """The request, if it is plain: no header twice, no body, and nothing that would be refused."""
        headers: Headers = dict(scope["headers"])
        send_whole = find_whole(scope)
        if send_whole is None or len(headers) != len(scope["headers"]) or not OF_A_BODY.isdisjoint(headers):
            return None
        if len(headers.get(b"if-none-match", b"")) > LONGEST_IF_NONE_MATCH:
            return None
        try:
            token = headers.get(b"consistency-token")
            required = self._tokens.read(str(token, "latin-1")) if token else None
        except InvalidConsistencyToken:
            return None
        forwarded = headers.get(FORWARDED_FOR)
        return _Call(
            planned=planned,
            headers=headers,
            ids=ids_of(headers.get(b"x-request-id", b""), headers.get(b"traceparent", b"")),
            address=self._proxies.find_client(peer_of(scope), (forwarded,) if forwarded is not None else ()),
            required=required,
            started=perf_counter(),
            send_whole=send_whole,
            state=scope.setdefault("state", {}),
            start=start,
        )

    def _send(self, call: _Call, admitted: Admitted) -> bool:
        """Send the answer, if it is remembered and may be shown to the caller; whether that was so."""
        if admitted.glance is None:
            return False
        key = _find_key(call, admitted)
        answer = self._reads.find_near(key, admitted.glance) if key is not None else None
        if answer is None or answer.missing is not None:
            return False
        lines = self._lines(call, admitted.rate, answer.position)
        if b"if-none-match" in call.headers and is_known(call.text(b"if-none-match"), answer.tag):
            status, lines, body = 304, answer.unchanged_lines + lines, b""
        else:
            status, lines, body = 200, answer.lines + lines, answer.body
        if not call.send_whole(status, lines + _usual_lines(answer.names), body):
            return False
        _note(call, status, caller=admitted.caller)
        count_answer(call.planned.plan.template, HIT)
        return True

    def _lines(self, call: _Call, rate: RateVerdict | None, position: Position | None) -> bytes:
        """The headers that the layers put on an answer, but for those that it may say otherwise."""
        token = self._tokens.sign(self._told(call.required, position))
        return b"x-request-id: %b\r\nconsistency-token: %b\r\n%b%b" % (
            call.ids.request_id.encode("ascii"),
            token.encode("ascii"),
            self._origins.lines_for(call.headers.get(b"origin")),
            rate_lines(rate) if rate is not None else b"",
        )

    def _told(self, required: Position | None, shown: Position | None) -> Position:
        """The place to tell the client, by what it must not fall behind and what it is shown."""
        if required is None:
            return shown or self._nodes.known() or NOWHERE
        request = Consistency(required)
        if shown is not None:
            request.note_shown(shown)
        return request.told(self._nodes.known())


def _find_key(call: _Call, admitted: Admitted) -> str | None:
    """Under which the answer is remembered; None where the caller may not have it."""
    if admitted.caller is None and admitted.rejection is None:
        return call.planned.visitors_key
    actor = actor_of(admitted, address=call.address, request_id=call.ids.request_id, user_agent="")
    state = {"actor": actor, "rejection": admitted.rejection}
    return call.planned.key(actor) if check_caller(call.planned.plan.access, state) is None else None


@lru_cache(maxsize=64)
def _usual_lines(present: frozenset[bytes]) -> bytes:
    return lines_of(header for header in USUAL_HEADERS if header[0] not in present)


def _note(call: _Call, status: int, *, caller: Caller | None) -> None:
    note_request(
        method="GET",
        route=call.planned.plan.template,
        status=status,
        seconds=perf_counter() - call.started,
        actor=caller,
        address=call.address,
    )
