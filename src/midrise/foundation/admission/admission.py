"""May this request come in, and who sends it: asked once, before anything else is done for it.

1. The token's signature, in the process. A forged token costs no query and nothing of its victim's quota; it
   counts as a request of the address that it came from.
   An API key's check value, likewise.
2. One round trip to the cache: the rate limit of the caller, and the generations that its session and the
   answer depend on.
3. Whether the key that signed the token is still in force.
4. The session behind the token, or the key, remembered under its generation, or asked of the database.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from midrise.foundation.admission.keys_in_force import KeysInForce
from midrise.foundation.admission.known_callers import KnownCallers
from midrise.foundation.admission.known_tokens import RECORDS_OF_TOKEN, KnownToken, KnownTokens
from midrise.foundation.admission.limits import LimitName, RateVerdict, address_key, api_key_key, user_key
from midrise.foundation.admission.programs import ApiKeySource
from midrise.foundation.admission.rate_limit import Held, RateLimiter
from midrise.foundation.admission.session import Caller, SessionSource
from midrise.foundation.cache.generations import Seen, read_record, record_key
from midrise.foundation.cache.reads import Glance, Prefixes, glance_of
from midrise.foundation.errors import AppError, RateLimited, Unauthenticated
from midrise.foundation.ids import text_of
from midrise.foundation.security.api_keys import API_KEY_PREFIX, ApiKeyClaims
from midrise.foundation.security.tokens import AccessClaims, AccessTokens

Claims = AccessClaims | ApiKeyClaims

CALLER = "{caller}"
"""Stands for the id of the user in the name of a generation."""

MOST_ASKING = 6
"""How many requests ask the database for their session at once, while the cache is away."""


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
        cached: "CachedAdmission | None" = None,
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._limiter = limiter
        self._api_keys = api_keys
        self._cached = cached
        self._asking = asyncio.Semaphore(MOST_ASKING)

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
        claims, rejection = self._identify(token)
        kid = self._kid(token, claims)
        prefix = self._cached.switch.prefix if self._cached is not None else None
        known = self._find_known(claims, prefix)
        keys = self._keys(prefix, claims, kid, known=known, generations=generations)
        caller_key = _caller_key(limit, claims, address)
        rate, held = await self._limiter.spend_and_read(limit, caller_key, records=keys, reads=())
        if rate is not None and not rate.allowed:
            raise OverLimit(rate, caller_key)
        if self._cached is None or self._cached.switch.prefix != prefix:
            held = ()
        if known is not None and known.stands(held):
            asked = _read_records(keys[len(known.keys) :], held[len(known.keys) :])
            return Admitted(
                caller=known.caller, rate=rate, glance=glance_of(prefix, asked), writes=known.writes
            )
        seen = _read_records(keys, held)
        of_key: Sequence[Seen] = ()
        if kid is not None and self._cached is not None:
            of_key, seen = seen[:1], seen[1:]
            key_glance = glance_of(prefix, of_key)
            if claims is None and await self._cached.keys.learns(kid, key_glance):
                claims, rejection = self._identify(token)
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

    def _find_known(self, claims: Claims | None, prefix: str | None) -> KnownToken | None:
        if self._cached is None or prefix is None or not isinstance(claims, AccessClaims):
            return None
        return self._cached.tokens.find(claims, prefix)

    def _learn(
        self, claims: Claims, prefix: str | None, seen: Sequence[Seen], held: Sequence[bytes | None]
    ) -> None:
        if self._cached is None or prefix is None or not isinstance(claims, AccessClaims):
            return
        if len(seen) == RECORDS_OF_TOKEN:
            self._cached.tokens.learn(claims, prefix, seen, held[:RECORDS_OF_TOKEN])

    def _kid(self, token: str | None, claims: Claims | None) -> str | None:
        """The signing key that the token names; None for what is no token."""
        if isinstance(claims, AccessClaims):
            return claims.kid
        return self._tokens.find_unknown_kid(token) if token is not None and claims is None else None

    def _keys(
        self,
        prefix: str | None,
        claims: Claims | None,
        kid: str | None,
        *,
        known: KnownToken | None,
        generations: Sequence[str],
    ) -> Sequence[str]:
        """Where the records are kept that are asked for: those of the caller, and those of the answer."""
        if prefix is None:
            return ()
        asked: Sequence[str] = generations
        if claims is not None:
            user_id = text_of(claims.user_id)
            asked = [name.replace(CALLER, user_id) for name in generations]
        elif CALLER in " ".join(generations):
            # What depends on the caller is nothing that a visitor is shown.
            asked = ()
        asked_keys = [record_key(prefix, name) for name in asked]
        if known is not None:
            return [*known.keys, *asked_keys]
        return [*(record_key(prefix, name) for name in self._own_names(claims, kid)), *asked_keys]

    def _own_names(self, claims: Claims | None, kid: str | None) -> Sequence[str]:
        of_keys = [self._cached.keys.generation] if kid is not None and self._cached is not None else []
        if claims is None:
            return of_keys
        return [
            *of_keys,
            *self._sessions.generations(claims.user_id),
            writes_generation(_writer_id(claims)),
        ]

    async def _find_caller(self, claims: Claims, prefix: str | None, own: Sequence[Seen]) -> Caller | None:
        if isinstance(claims, ApiKeyClaims):
            return await self._find_program(claims, prefix, own)
        if self._cached is not None and prefix is not None and own:
            user, roles, _ = own
            return await self._cached.callers.find_caller(
                claims.session_id, claims.user_id, prefix=prefix, user=user, roles=roles
            )
        # Without the cache every request asks the primary: a bound keeps connections for the work itself.
        async with self._asking:
            return await self._sessions.find_caller(claims.session_id, claims.user_id, kid=claims.kid)

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
            async with self._asking:
                caller = await source.find_caller(claims)
        if caller is not None:
            source.note_use(claims.api_key_id)
        return caller

    def _identify(self, token: str | None) -> tuple[Claims | None, AppError | None]:
        if token is None:
            return None, None
        try:
            if self._api_keys is not None and token.startswith(API_KEY_PREFIX):
                return self._api_keys.read(token), None
            return self._tokens.verify(token), None
        except Unauthenticated as rejection:
            return None, rejection


@dataclass(frozen=True, slots=True)
class CachedAdmission:
    """What admission remembers, and whether it may."""

    callers: KnownCallers
    keys: KeysInForce
    tokens: KnownTokens
    switch: Prefixes


def _read_records(keys: Sequence[str], held: Held) -> Sequence[Seen]:
    try:
        return [read_record(key, record) for key, record in zip(keys, held, strict=bool(held))]
    except ValueError:
        # Somebody else wrote there: nothing of it is believed.
        return ()


def writes_generation(caller_id: UUID) -> str:
    """The generation of what a session, or an API key, writes; every change of its marks it."""
    return f"writes:{text_of(caller_id)}"


def _writer_id(claims: Claims) -> UUID:
    return claims.api_key_id if isinstance(claims, ApiKeyClaims) else claims.session_id


def _caller_key(limit: LimitName, claims: Claims | None, address: str) -> str:
    if claims is None or limit.is_by_address:
        return address_key(address)
    if isinstance(claims, ApiKeyClaims):
        return api_key_key(claims.api_key_id)
    return user_key(claims.user_id)
