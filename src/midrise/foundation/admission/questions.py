"""What is asked of the cache before a request is let in: the limit that it counts against, and the records that
tell who sends it and which answers are of today.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

import msgspec

from midrise.foundation.admission.keys_in_force import KeysInForce
from midrise.foundation.admission.known_callers import KnownCallers
from midrise.foundation.admission.known_tokens import KnownToken, KnownTokens
from midrise.foundation.admission.limits import LimitName, address_key, api_key_key, user_key
from midrise.foundation.admission.programs import ApiKeySource
from midrise.foundation.admission.session import SessionSource
from midrise.foundation.cache.generations import record_key
from midrise.foundation.cache.reads import Prefixes
from midrise.foundation.errors import AppError, Unauthenticated
from midrise.foundation.ids import text_of
from midrise.foundation.security.api_keys import API_KEY_PREFIX, ApiKeyClaims
from midrise.foundation.security.tokens import AccessClaims, AccessTokens

Claims = AccessClaims | ApiKeyClaims

CALLER = "{caller}"
"""Stands for the id of the user in the name of a generation."""

_MOST_KEYS = 4096


class Question(msgspec.Struct, frozen=True):
    """One request's: who says to send it, and where the records are kept that are asked for.

    ``token`` is there only where more is to be found out about it, ``rejection`` is what is wrong with it,
    ``kid`` the signing key that it names, and ``known`` what was found out about it before. ``keys`` are first
    those of the caller, then those of the answer; there are none while the cache may not be used, where
    ``prefix`` is None.
    """

    token: str | None
    claims: Claims | None
    rejection: AppError | None
    kid: str | None
    prefix: str | None
    known: KnownToken | None
    keys: tuple[str, ...]
    limit: LimitName
    caller_key: str


@dataclass(frozen=True, slots=True)
class CachedAdmission:
    """What admission remembers, and whether it may."""

    callers: KnownCallers
    keys: KeysInForce
    tokens: KnownTokens
    switch: Prefixes


class Questions:
    """Makes them: by the token's signature, and by what is known in this process."""

    def __init__(
        self,
        *,
        tokens: AccessTokens,
        sessions: SessionSource,
        api_keys: ApiKeySource | None,
        cached: CachedAdmission | None,
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._api_keys = api_keys
        self._cached = cached
        self._of_visitor = lru_cache(maxsize=_MOST_KEYS)(_visitors_question)
        self._of_known = lru_cache(maxsize=_MOST_KEYS)(_known_question)

    def of(self, token: str | None, address: str, *, limit: LimitName, generations: Sequence[str]) -> Question:
        """The question for a request with that token, or API key, and of that address."""
        prefix = self._cached.switch.prefix if self._cached is not None else None
        if token is None:
            return self._of_visitor(prefix, address, limit, tuple(generations))
        claims, rejection = self.identify(token)
        known = self._find_known(claims, prefix)
        if known is not None:
            return self._of_known(known, address if limit.is_by_address else "", limit, tuple(generations))
        kid = self._kid(token, claims)
        return Question(
            token=token,
            claims=claims,
            rejection=rejection,
            kid=kid,
            prefix=prefix,
            known=None,
            keys=self._keys(prefix, claims, kid, generations=tuple(generations)),
            limit=limit,
            caller_key=_caller_key(limit, claims, address),
        )

    def identify(self, token: str) -> tuple[Claims | None, AppError | None]:
        """What the token says, or what is wrong with it."""
        try:
            if self._api_keys is not None and token.startswith(API_KEY_PREFIX):
                return self._api_keys.read(token), None
            return self._tokens.verify(token), None
        except Unauthenticated as rejection:
            return None, rejection

    def _kid(self, token: str, claims: Claims | None) -> str | None:
        """The signing key that the token names; None for what is no token."""
        if isinstance(claims, AccessClaims):
            return claims.kid
        return self._tokens.find_unknown_kid(token) if claims is None else None

    def _find_known(self, claims: Claims | None, prefix: str | None) -> KnownToken | None:
        if self._cached is None or prefix is None or not isinstance(claims, AccessClaims):
            return None
        return self._cached.tokens.find(claims, prefix)

    def _keys(
        self,
        prefix: str | None,
        claims: Claims | None,
        kid: str | None,
        *,
        generations: tuple[str, ...],
    ) -> tuple[str, ...]:
        """Where the records are kept that are asked for: those of the caller, and those of the answer."""
        if prefix is None:
            return ()
        asked = _asked_keys(prefix, generations, text_of(claims.user_id) if claims is not None else None)
        own = self._own_names(claims, kid)
        return (*(record_key(prefix, name) for name in own), *asked) if own else asked

    def _own_names(self, claims: Claims | None, kid: str | None) -> Sequence[str]:
        of_keys = [self._cached.keys.generation] if kid is not None and self._cached is not None else []
        if claims is None:
            return of_keys
        return [
            *of_keys,
            *self._sessions.generations(claims.user_id),
            writes_generation(_writer_id(claims)),
        ]


def writes_generation(caller_id: UUID) -> str:
    """The generation of what a session, or an API key, writes; every change of its marks it."""
    return f"writes:{text_of(caller_id)}"


def _writer_id(claims: Claims) -> UUID:
    return claims.api_key_id if isinstance(claims, ApiKeyClaims) else claims.session_id


def _visitors_question(
    prefix: str | None, address: str, limit: LimitName, generations: tuple[str, ...]
) -> Question:
    return Question(
        token=None,
        claims=None,
        rejection=None,
        kid=None,
        prefix=prefix,
        known=None,
        keys=_asked_keys(prefix, generations, None) if prefix is not None else (),
        limit=limit,
        caller_key=_caller_key(limit, None, address),
    )


def _known_question(
    known: KnownToken, address: str, limit: LimitName, generations: tuple[str, ...]
) -> Question:
    claims = known.claims
    return Question(
        token=None,
        claims=claims,
        rejection=None,
        kid=claims.kid,
        prefix=known.prefix,
        known=known,
        keys=(*known.keys, *_asked_keys(known.prefix, generations, text_of(claims.user_id))),
        limit=limit,
        caller_key=_caller_key(limit, claims, address),
    )


@lru_cache(maxsize=_MOST_KEYS)
def _asked_keys(prefix: str, generations: tuple[str, ...], user_id: str | None) -> tuple[str, ...]:
    if user_id is None and any(CALLER in name for name in generations):
        # What depends on the caller is nothing that a visitor is shown.
        return ()
    return tuple([record_key(prefix, name.replace(CALLER, user_id or "")) for name in generations])


def _caller_key(limit: LimitName, claims: Claims | None, address: str) -> str:
    if claims is None or limit.is_by_address:
        return address_key(address)
    if isinstance(claims, ApiKeyClaims):
        return api_key_key(claims.api_key_id)
    return user_key(claims.user_id)
