"""Who is calling, and may they: the one question to the floors below before the framework is entered."""

from collections.abc import Mapping
from functools import lru_cache

from midrise.foundation.actor import Actor
from midrise.foundation.admission import Admission, Admitted, LimitName, OverLimit, RateVerdict, Settling
from midrise.foundation.http.answer_head import Header, answer_head
from midrise.foundation.http.asgi import App, Receive, Scope, Send, header_of
from midrise.foundation.http.caching import CachePlans, PlannedCall
from midrise.foundation.http.middleware.error_boundary import send_problem
from midrise.foundation.observability.metrics import RATE_LIMITED

_LIMITED_PREFIX = "/v1/"
_LONGEST_USER_AGENT = 300


class AdmissionGate:
    """Puts the `Actor` behind the request into its state, and the rate limit's headers on its answer.

    A credential that is wrong does not end the request here: the operation decides whether it matters. It
    stands in the state as the ``rejection`` until then. A server that has no operations under ``/v1`` needs no
    admission.
    """

    def __init__(
        self,
        app: App,
        *,
        admission: Admission | None,
        limits: Mapping[str, LimitName],
        plans: CachePlans | None = None,
    ) -> None:
        self._app = app
        self._plans = plans
        self._admission = admission
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if self._admission is None or not path.startswith(_LIMITED_PREFIX):
            scope["state"]["actor"] = _actor_of(scope, Admitted())
            await self._app(scope, receive, send)
            return
        planned = self._planned(scope, path)
        try:
            admitted = await _asked_before(scope) or await self._admission.admit(
                token=bearer_token(header_of(scope, b"authorization")),
                address=scope["client"][0],
                limit=self._limits.get(path, LimitName.DEFAULT),
                generations=planned.generations if planned else (),
            )
        except OverLimit as refused:
            RATE_LIMITED.labels(refused.verdict.limit.value).inc()
            _tell(scope, refused.verdict)
            await send_problem(refused, scope, send)
            return
        scope["state"]["actor"] = _actor_of(scope, admitted)
        scope["state"]["rejection"] = admitted.rejection
        scope["state"]["planned"], scope["state"]["glance"] = planned, admitted.glance
        scope["state"]["writes"] = admitted.writes
        _tell(scope, admitted.rate)
        await self._app(scope, receive, send)

    def _planned(self, scope: Scope, path: str) -> PlannedCall | None:
        if self._plans is None or scope["method"] != "GET":
            return None
        return self._plans.find(path, scope["query_string"])


async def _asked_before(scope: Scope) -> Admitted | None:
    """The verdict on a request that was asked about already; raises the refusal. See `QuickAnswers`."""
    verdict: Admitted | Settling | None = scope["state"].get("admission")
    return verdict if verdict is None or isinstance(verdict, Admitted) else await verdict()


def _actor_of(scope: Scope, admitted: Admitted) -> Actor:
    return actor_of(
        admitted,
        address=scope["client"][0],
        request_id=scope["state"]["request_id"],
        user_agent=header_of(scope, b"user-agent"),
    )


def actor_of(admitted: Admitted, *, address: str, request_id: str, user_agent: str) -> Actor:
    """The one behind a request that was let in."""
    caller = admitted.caller
    user_agent = user_agent[:_LONGEST_USER_AGENT].replace("\0", "")
    if caller is None:
        return Actor(address, request_id, user_agent)
    return Actor(
        address,
        request_id,
        user_agent,
        user_id=caller.user_id,
        session_id=caller.session_id,
        roles=caller.roles,
        permissions=caller.permissions,
        api_key_id=caller.api_key_id,
    )


def bearer_token(header: str) -> str | None:
    """The token of `Authorization: Bearer …`; an empty text for a header that is something else."""
    if not header:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


@lru_cache(maxsize=64)
def _policy(limit: LimitName, quota: int, window_seconds: int) -> bytes:
    return f'"{limit.value}";q={quota};w={window_seconds}'.encode()


@lru_cache(maxsize=64)
def _policy_lines(limit: LimitName, quota: int, window_seconds: int) -> bytes:
    return b'ratelimit-policy: %b\r\nratelimit: "%b"' % (
        _policy(limit, quota, window_seconds),
        limit.value.encode(),
    )


def _tell(scope: Scope, rate: RateVerdict | None) -> None:
    if rate is not None:
        answer_head(scope).headers += rate_headers(rate)


def rate_headers(rate: RateVerdict) -> tuple[Header, Header]:
    """Those of draft-ietf-httpapi-ratelimit-headers-10."""
    policy = _policy(rate.limit, rate.quota, rate.window_seconds)
    state = f'"{rate.limit.value}";r={rate.remaining};t={rate.reset_seconds}'.encode()
    return (b"ratelimit-policy", policy), (b"ratelimit", state)


def rate_lines(rate: RateVerdict) -> bytes:
    """The same as bytes."""
    lines = _policy_lines(rate.limit, rate.quota, rate.window_seconds)
    return b"%b;r=%d;t=%d\r\n" % (lines, rate.remaining, rate.reset_seconds)
