"""May this request come in, and who sends it: asked once, before anything else is done for it.

1. The token's signature, in the process. A forged token costs no query and nothing of its victim's quota; it
   counts as a request of the address that it came from.
   An API key's check value, likewise.
2. One round trip to the cache: the rate limit of the caller, and the generations that its session and the
   answer depend on.
3. Whether the key that signed the token is still in force.
4. The session behind the token, or the key, remembered under its generation, or asked of the database.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from midrise.foundation.admission.asking import Asking, AskingBounds
from midrise.foundation.admission.known_tokens import RECORDS_OF_TOKEN
from midrise.foundation.admission.limits import LimitName, RateVerdict
from midrise.foundation.admission.programs import ApiKeySource
from midrise.foundation.admission.questions import CachedAdmission, Claims, Question, Questions
from midrise.foundation.admission.rate_limit import Held, RateLimiter, ValkeyRateLimiter
from midrise.foundation.admission.session import Caller, SessionSource
from midrise.foundation.cache.generations import Seen, read_record
from midrise.foundation.cache.reads import Glance, glance_at, glance_of
from midrise.foundation.errors import AppError, RateLimited, Unauthenticated
from midrise.foundation.security.api_keys import ApiKeyClaims
from midrise.foundation.security.tokens import AccessClaims, AccessTokens


class Admitted(msgspec.Struct, frozen=True):
    """A request that may come in.

    `glance` is what was seen of the generations that were asked for; None where nothing may come from the
    cache. `writes` is the generation of what this caller writes: a server that has seen its horizon has seen
    all of that.

    `caller` is None for a visitor without a token, and where the token is no good: then `rejection` says so,
    and every operation but those that ignore credentials must raise it. `rate` is None where the limit is off.
    """

    caller: Caller | None = None
    rejection: AppError | None = None
    rate: RateVerdict | None = None
    glance: Glance | None = None
    writes: Seen | None = None


Settling = Callable[[], Awaitable[Admitted]]
"""What has to be awaited for a verdict; it raises as `Admission.admit` does."""


class OverLimit(RateLimited):
    """The caller sent more requests than its limit allows; `Retry-After` says in how many seconds to return."""

    def __init__(self, verdict: RateVerdict, caller_key: str) -> None:
        super().__init__(verdict.retry_after_seconds)
        self.verdict = verdict
        self.caller_key = caller_key


class Admission:
    """Lets requests in or turns them away."""

    def __init__(
        self,
        *,
        tokens: AccessTokens,
        sessions: SessionSource,
        limiter: RateLimiter,
        api_keys: ApiKeySource | None = None,
        cached: CachedAdmission | None = None,
        quick: ValkeyRateLimiter | None = None,
        asking: AskingBounds = AskingBounds(),  # noqa: B008  it never changes
    ) -> None:
        self._questions = Questions(tokens=tokens, sessions=sessions, api_keys=api_keys, cached=cached)
        self._sessions = sessions
        self._limiter = limiter
        self._api_keys = api_keys
        self._cached = cached
        self._quick = quick
        self._asking = Asking(asking)

    async def admit(
        self,
        *,
        token: str | None,
        address: str,
        limit: LimitName = LimitName.DEFAULT,
        generations: Sequence[str] = (),
    ) -> Admitted:
        """Decide on one request. `token`, which may be an API key, is None where it brought none; `address` is
        the client's own.

        `generations` are what its answer depends on; `{caller}` in one stands for the user's id. Raises
        `OverLimit`, and `Unavailable` where the session's state can't be known.
        """
        return await self.ask(self._questions.of(token, address, limit=limit, generations=generations))

    def admit_soon(
        self,
        tell: Callable[[Admitted | Settling], None],
        *,
        token: str | None,
        address: str,
        generations: tuple[str, ...] = (),
    ) -> bool:
        """Decide as `admit` does, and ``tell`` when the cache's answer has come; nobody need wait for it.

        What is told is the verdict, or what has to be awaited for it: where the database must be asked, and
        where the request is turned away. False where nobody is going to be told: then `admit` is to be asked.
        """
        if self._quick is None:
            return False
        question = self._questions.of(token, address, limit=LimitName.DEFAULT, generations=generations)
        waiter = _Waiter(self, self._quick, question, tell)
        return self._quick.ask(question.limit, question.caller_key, records=question.keys, waiter=waiter)

    def find_usual(self, question: Question, rate: RateVerdict | None, held: Held) -> Admitted | None:
        """The verdict, if all that it takes is known; None where somebody is to be asked, or turned away."""
        if rate is not None and not rate.allowed:
            return None
        held = self._usable(question, held)
        known, keys = question.known, question.keys
        if known is not None:
            if not known.stands(held):
                return None
            of_token = len(known.keys)
            glance = _glance(question.prefix, keys[of_token:], held[of_token:])
            return Admitted(caller=known.caller, rate=rate, glance=glance, writes=known.writes)
        if isinstance(question.claims, ApiKeyClaims):
            return self._find_program_near(question, question.claims, rate, held)
        if question.claims is not None or question.kid is not None:
            return None
        glance = _glance(question.prefix, keys, held)
        return Admitted(rejection=question.rejection, rate=rate, glance=glance)

    async def settle(self, question: Question, rate: RateVerdict | None, held: Held) -> Admitted:
        """The verdict on what the cache has told. Raises as `admit` does."""
        usual = self.find_usual(question, rate, held)
        if usual is not None:
            return usual
        if rate is not None and not rate.allowed:
            raise OverLimit(rate, question.caller_key)
        claims, rejection, kid, prefix = question.claims, question.rejection, question.kid, question.prefix
        held = self._usable(question, held)
        seen = _read_records(question.keys, held)
        of_key: Sequence[Seen] = ()
        if kid is not None and self._cached is not None:
            of_key, seen = seen[:1], seen[1:]
            key_glance = glance_of(prefix, of_key)
            if claims is None and question.token and await self._cached.keys.learns(kid, key_glance):
                claims, rejection = self._questions.identify(question.token)
                seen = ()
            elif (
                claims is not None
                and key_glance is not None
                and not await self._cached.keys.are_in_force(kid, key_glance)
            ):
                return Admitted(rejection=Unauthenticated(), rate=rate)
        if claims is None:
            return Admitted(rejection=rejection, rate=rate, glance=glance_of(prefix, seen))
        own, asked = seen[:3], seen[3:]
        caller = await self._find_caller(claims, prefix, own)
        if caller is None:
            return Admitted(rejection=Unauthenticated(), rate=rate)
        self._learn(claims, prefix, [*of_key, *own], held)
        writes = own[2] if own else None
        return Admitted(caller=caller, rate=rate, glance=glance_of(prefix, asked), writes=writes)

    async def ask(self, question: Question) -> Admitted:
        """Ask the cache, and whoever has to be asked. Raises as `admit` does."""
        rate, held = await self._limiter.spend_and_read(
            question.limit, question.caller_key, records=question.keys
        )
        return await self.settle(question, rate, held)

    def _find_program_near(
        self, question: Question, claims: ApiKeyClaims, rate: RateVerdict | None, held: Held
    ) -> Admitted | None:
        seen, prefix = _read_records(question.keys, held), question.prefix
        if self._cached is None or self._api_keys is None or prefix is None or not seen:
            return None
        user, roles, writes, *asked = seen
        caller = self._cached.callers.find_program_near(
            claims, user=Glance(prefix, (user,)), roles=Glance(prefix, (roles,))
        )
        if caller is None:
            return None
        self._api_keys.note_use(claims.api_key_id)
        return Admitted(caller=caller, rate=rate, glance=glance_of(prefix, asked), writes=writes)

    def _usable(self, question: Question, held: Held) -> Held:
        """What was held, if the cache may still be used as when it was asked for."""
        is_usable = self._cached is not None and self._cached.switch.prefix == question.prefix
        return held if is_usable else ()

    def _learn(
        self, claims: Claims, prefix: str | None, seen: Sequence[Seen], held: Sequence[bytes | None]
    ) -> None:
        if self._cached is None or prefix is None or not isinstance(claims, AccessClaims):
            return
        if len(seen) == RECORDS_OF_TOKEN:
            self._cached.tokens.learn(claims, prefix, seen, held[:RECORDS_OF_TOKEN])

    async def _find_caller(self, claims: Claims, prefix: str | None, own: Sequence[Seen]) -> Caller | None:
        if isinstance(claims, ApiKeyClaims):
            return await self._find_program(claims, prefix, own)
        if self._cached is not None and prefix is not None and own:
            user, roles, _ = own
            return await self._cached.callers.find_caller(
                claims.session_id, claims.user_id, prefix=prefix, user=user, roles=roles
            )
        # Without the cache every request asks the primary.
        return await self._asking.ask(
            lambda: self._sessions.find_caller(claims.session_id, claims.user_id, kid=claims.kid)
        )

    async def _find_program(
        self, claims: ApiKeyClaims, prefix: str | None, own: Sequence[Seen]
    ) -> Caller | None:
        source = self._api_keys
        if source is None:
            return None
        if self._cached is not None and prefix is not None and own:
            user, roles, _ = own
            caller = await self._cached.callers.find_program(
                claims, source, prefix=prefix, user=user, roles=roles
            )
        else:
            caller = await self._asking.ask(lambda: source.find_caller(claims))
        if caller is not None:
            source.note_use(claims.api_key_id)
        return caller


def _glance(prefix: str | None, keys: tuple[str, ...], held: Held) -> Glance | None:
    if prefix is None or not held:
        return None
    try:
        return glance_at(prefix, keys, tuple(held))
    except (ValueError, TypeError):
        # Somebody else wrote there: nothing of it is believed.
        return None


def _read_records(keys: Sequence[str], held: Held) -> Sequence[Seen]:
    try:
        return [read_record(key, record) for key, record in zip(keys, held, strict=bool(held))]
    except (ValueError, TypeError):
        # Somebody else wrote there: nothing of it is believed.
        return ()


class _Waiter:
    """Is told what the cache answers to a question, and tells what follows from it."""

    __slots__ = ("_admission", "_limiter", "_question", "_tell")

    def __init__(
        self,
        admission: Admission,
        limiter: ValkeyRateLimiter,
        question: Question,
        tell: Callable[[Admitted | Settling], None],
    ) -> None:
        self._admission = admission
        self._limiter = limiter
        self._question = question
        self._tell = tell

    def done(self) -> bool:
        return False

    def set_result(self, answer: Any) -> None:
        question = self._question
        told: Admitted | Settling
        try:
            rate, held = self._limiter.read(answer, question.limit, records=len(question.keys))
            admitted = self._admission.find_usual(question, rate, held)
            told = admitted or partial(self._admission.settle, question, rate, held)
        except Exception:  # noqa: BLE001  whatever it is, the cache's reader must go on; asking again tells
            told = partial(self._admission.ask, question)
        self._tell(told)

    def set_exception(self, error: Exception) -> None:
        self._limiter.note_failure(error)
        self._tell(partial(self._admission.ask, self._question))
