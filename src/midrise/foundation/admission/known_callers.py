"""Callers from the cache: the list of revoked tokens turned round.

What is absent is asked of the primary and never trusted. A log-out, a new password, a changed role are changes
like any other: they change the user's generation, and what was remembered is found no more.
"""

from uuid import UUID

from midrise.foundation import clock
from midrise.foundation.admission.programs import ApiKeySource, ApiKeyState, program
from midrise.foundation.admission.remembering import remembered
from midrise.foundation.admission.session import Caller, RoleGrants, SessionSource, SessionState
from midrise.foundation.cache import ValkeyCache
from midrise.foundation.cache.generations import Seen
from midrise.foundation.cache.reads import CachedReads, Glance, Prefixes
from midrise.foundation.ids import text_of
from midrise.foundation.security.api_keys import ApiKeyClaims

_MOST_SESSIONS_BYTES = 16 * 1024 * 1024
_MOST_API_KEYS_BYTES = 4 * 1024 * 1024
_MOST_ROLES_BYTES = 1024 * 1024
_MOST_COMBINATIONS = 1000


class KnownCallers:
    """Who is behind each session and API key, remembered under the generations of its user and of the roles."""

    def __init__(self, source: SessionSource, cache: ValkeyCache, switch: Prefixes) -> None:
        self._source = source
        self._api_keys = CachedReads(
            ApiKeyState, cache=cache, switch=switch, name="api_key", most_bytes=_MOST_API_KEYS_BYTES
        )
        self._sessions = CachedReads(
            SessionState, cache=cache, switch=switch, name="session", most_bytes=_MOST_SESSIONS_BYTES
        )
        self._grants = CachedReads(
            RoleGrants, cache=cache, switch=switch, name="roles", most_bytes=_MOST_ROLES_BYTES
        )
        self._combined: dict[tuple[bytes, tuple[str, ...]], tuple[RoleGrants, frozenset[str]]] = {}

    async def find_caller(
        self, session_id: UUID, user_id: UUID, *, prefix: str, user: Seen, roles: Seen
    ) -> Caller | None:
        """The caller, or None where the session has ended. Raises `Unavailable` where that can't be known."""
        call = _session_call(session_id, user_id)
        glance = Glance(prefix, (user,))
        state = self._sessions.find_near(call, glance)
        if state is None:
            state = await remembered(
                self._sessions, call, glance, lambda: self._source.get_state(session_id, user_id)
            )
        if not state.stands or state.expires_at <= clock.timestamp():
            return None
        permissions = await self._permissions(state.roles, Glance(prefix, (roles,)))
        return Caller(user_id, session_id, state.roles, permissions)

    def find_near(
        self, session_id: UUID, user_id: UUID, *, user: Glance, roles: Glance
    ) -> tuple[Caller, float] | None:
        """The caller, and when the session expires in seconds since 1970, where this process remembers all of
        that under these generations."""
        state = self._sessions.find_near(_session_call(session_id, user_id), user)
        if state is None or not state.stands:
            return None
        permissions = self._find_combined(state.roles, roles)
        if permissions is None:
            return None
        return Caller(user_id, session_id, state.roles, permissions), state.expires_at

    async def find_program(
        self, claims: ApiKeyClaims, source: ApiKeySource, *, prefix: str, user: Seen, roles: Seen
    ) -> Caller | None:
        """The caller behind a key, or None where it has ended. Raises `Unavailable`.

        Whatever changes a key changes the generation of its owner, whom its text names.
        """
        call = _api_key_call(claims)
        glance = Glance(prefix, (user,))
        state = self._api_keys.find_near(call, glance)
        if state is None:
            state = await remembered(
                self._api_keys, call, glance, lambda: source.get_state(claims.api_key_id, claims.user_id)
            )
        if not state.lets_in(claims):
            return None
        return program(claims, state, await self._permissions(state.roles, Glance(prefix, (roles,))))

    def find_program_near(self, claims: ApiKeyClaims, *, user: Glance, roles: Glance) -> Caller | None:
        """The caller behind a key, where this process remembers all of that under these generations."""
        state = self._api_keys.find_near(_api_key_call(claims), user)
        if state is None or not state.lets_in(claims):
            return None
        permissions = self._find_combined(state.roles, roles)
        return program(claims, state, permissions) if permissions is not None else None

    async def _permissions(self, names: tuple[str, ...], glance: Glance) -> frozenset[str]:
        known = self._find_combined(names, glance)
        return known if known is not None else await self._combine(names, glance)

    async def _combine(self, names: tuple[str, ...], glance: Glance) -> frozenset[str]:
        grants = self._grants.find_near("all", glance)
        is_near = grants is not None
        if grants is None:
            grants = await remembered(self._grants, "all", glance, self._source.get_grants)
        permissions = self._source.effective(names, grants.permissions)
        if is_near:
            # Only what may be remembered of the roles may be remembered of their combinations.
            if len(self._combined) >= _MOST_COMBINATIONS:
                self._combined.clear()
            self._combined[glance.values[0], names] = grants, permissions
        return permissions

    def _find_combined(self, names: tuple[str, ...], glance: Glance) -> frozenset[str] | None:
        """What roles allow together, for as long as this process remembers the grants that it was made of."""
        grants, permissions = self._combined.get((glance.values[0], names), (None, None))
        return permissions if grants is not None and grants is self._grants.find_near("all", glance) else None


def _api_key_call(claims: ApiKeyClaims) -> str:
    return f"{text_of(claims.user_id)}/{text_of(claims.api_key_id)}"


def _session_call(session_id: UUID, user_id: UUID) -> str:
    return f"{text_of(user_id)}/{text_of(session_id)}"
