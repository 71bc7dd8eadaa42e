"""Who is behind a session: the question that admission asks, and the answer."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose session stands, with what they may do at this moment."""

    user_id: UUID
    session_id: UUID
    roles: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()


class SessionSource(Protocol):
    """Knows the state of sessions. Admission gets it injected: the foundation knows no module."""

    async def find_caller(self, session_id: UUID, user_id: UUID) -> Caller | None:
        """The caller, or None where the session has ended, never was, or its user may not log in.

        Raises `Unavailable` where that can't be known: nobody is let in on a guess.
        """
        ...
