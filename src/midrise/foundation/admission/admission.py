"""May this request come in, and who sends it: asked once, before anything else is done for it.

1. The token's signature, in the process. A forged token costs no query and nothing of its victim's quota; it
   counts as a request of the address that it came from.
2. The rate limit of the caller, one round trip to the cache.
3. The session behind the token.

Steps 2 and 3 need nothing of each other but their order, so that one script may answer both.
"""

from dataclasses import dataclass

from midrise.foundation.admission.limits import LimitName, RateVerdict, address_key, user_key
from midrise.foundation.admission.rate_limit import RateLimiter
from midrise.foundation.admission.session import Caller, SessionSource
from midrise.foundation.errors import AppError, RateLimited, Unauthenticated
from midrise.foundation.security.tokens import AccessClaims, AccessTokens


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may come in.

    `caller` is None for a visitor without a token, and where the token is no good: then `rejection` says so,
    and every operation but those that ignore credentials must raise it. `rate` is None where the limit is off.
    """

    caller: Caller | None = None
    rejection: AppError | None = None
    rate: RateVerdict | None = None


class OverLimit(RateLimited):
    """The caller sent more requests than its limit allows; `Retry-After` says in how many seconds to return."""

    def __init__(self, verdict: RateVerdict, caller_key: str) -> None:
        super().__init__(verdict.retry_after_seconds)
        self.verdict = verdict
        self.caller_key = caller_key


class Admission:
    """Lets requests in or turns them away."""

    def __init__(self, *, tokens: AccessTokens, sessions: SessionSource, limiter: RateLimiter) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._limiter = limiter

    async def admit(self, *, token: str | None, address: str, limit: LimitName = LimitName.DEFAULT) -> Admitted:
        """Decide on one request. `token` is None where it brought none; `address` is the client's own.

        Raises `OverLimit`, and `Unavailable` where the session's state can't be known.
        """
        claims, rejection = self._identify(token)
        rate = await self._spend(limit, _caller_key(limit, claims, address))
        if claims is None:
            return Admitted(rejection=rejection, rate=rate)
        caller = await self._sessions.find_caller(claims.session_id, claims.user_id)
        if caller is None:
            return Admitted(rejection=Unauthenticated(), rate=rate)
        return Admitted(caller=caller, rate=rate)

    def _identify(self, token: str | None) -> tuple[AccessClaims | None, AppError | None]:
        if token is None:
            return None, None
        try:
            return self._tokens.verify(token), None
        except Unauthenticated as rejection:
            return None, rejection

    async def _spend(self, limit: LimitName, caller_key: str) -> RateVerdict | None:
        verdict = await self._limiter.spend(limit, caller_key)
        if verdict is not None and not verdict.allowed:
            raise OverLimit(verdict, caller_key)
        return verdict


def _caller_key(limit: LimitName, claims: AccessClaims | None, address: str) -> str:
    if claims is None or limit.is_by_address:
        return address_key(address)
    return user_key(claims.user_id)
