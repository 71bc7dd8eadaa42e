"""Who is behind a session: the question that admission asks, and the answer."""

from collections.abc import Iterable, Mapping
from typing import Protocol
from uuid import UUID

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """Somebody whose session stands, or a program of theirs whose API key does, with what they may do at this
    moment."""

    user_id: UUID
    session_id: UUID | None = None
    roles: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()
    api_key_id: UUID | None = None


class SessionState(msgspec.Struct, frozen=True):
    """What is remembered of a session, also of one that has ended: whether it stands, until when in seconds
    since 1970, and its user's roles.
    """

    stands: bool = False
    expires_at: float = 0.0
    roles: tuple[str, ...] = ()


class RoleGrants(msgspec.Struct, frozen=True):
    """What each role allows, as it is stored."""

    permissions: dict[str, list[str]]


class SessionSource(Protocol):
    """Knows the state of sessions. Admission gets it injected: the foundation knows no module."""

    async def find_caller(self, session_id: UUID, user_id: UUID, *, kid: str) -> Caller | None:
        """The caller, or None where the session has ended, never was, its user may not log in, or the signing
        key of that id is no longer in force.

        Raises `Unavailable` where that can't be known: nobody is let in on a guess.
        """
        ...

    def generations(self, user_id: UUID) -> tuple[str, str]:
        """The generation of what is known of the user, and that of what roles allow."""
        ...

    async def get_state(self, session_id: UUID, user_id: UUID) -> SessionState:
        """The session as the primary knows it now. Raises `Unavailable`."""
        ...

    async def get_grants(self) -> RoleGrants:
        """What every role allows, as the primary knows it now. Raises `Unavailable`."""
        ...

    def effective(self, roles: Iterable[str], grants: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """What somebody with these roles may do."""
        ...
