"""Who is behind an API key: the question that admission asks, and the answer."""

import hmac
from collections.abc import Iterable
from typing import Protocol
from uuid import UUID

import msgspec

from midrise.foundation import clock
from midrise.foundation.admission.session import Caller
from midrise.foundation.security.api_keys import ApiKeyClaims


class ApiKeyState(msgspec.Struct, frozen=True):
    """What is remembered of a key, also of one that has ended: then its digest is empty.

    ``expires_at`` is in seconds since 1970; ``roles`` are its owner's, ``permissions`` its own.
    """

    digest: bytes = b""
    expires_at: float | None = None
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()

    def lets_in(self, claims: ApiKeyClaims) -> bool:
        """Whether the key that was sent is this one, and stands."""
        has_expired = self.expires_at is not None and self.expires_at <= clock.timestamp()
        return bool(self.digest) and not has_expired and hmac.compare_digest(self.digest, claims.digest)


class ApiKeySource(Protocol):
    """Knows the state of API keys; injected, as sessions are."""

    def read(self, text: str) -> ApiKeyClaims:
        """What a key says that was made here; asks nobody. Raises `Unauthenticated`."""
        ...

    async def find_caller(self, claims: ApiKeyClaims) -> Caller | None:
        """The caller, or None where the key has ended or its owner may not log in. Raises `Unavailable`."""
        ...

    async def get_state(self, api_key_id: UUID, user_id: UUID) -> ApiKeyState:
        """The key as the primary knows it now. Raises `Unavailable`."""
        ...

    def note_use(self, api_key_id: UUID) -> None:
        """Remember that the key was used; returns at once."""
        ...


def program(claims: ApiKeyClaims, state: ApiKeyState, of_owner: Iterable[str]) -> Caller:
    """The caller behind a key: it may do what the key allows, and its owner may do at this moment."""
    return Caller(
        claims.user_id,
        roles=state.roles,
        permissions=frozenset(state.permissions).intersection(of_owner),
        api_key_id=claims.api_key_id,
    )
