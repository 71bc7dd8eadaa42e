"""Who does something, and from where: what services decide by and what the audit remembers."""

from uuid import UUID

import msgspec
from msgspec.structs import replace

from midrise.foundation.database.idempotency import Attempt
from midrise.foundation.errors import Forbidden, Unauthenticated


class Actor(msgspec.Struct, frozen=True):
    """The one behind a call. ``user_id`` is None for a visitor whom nobody knows.

    ``address`` is the client's own, never a proxy's; ``user_agent`` is what the client says of itself.
    ``api_key_id`` is there where a program of the user's calls, which has no session.
    ``attempt`` is there for a call that its client may make again.
    """

    address: str = ""
    request_id: str = ""
    user_agent: str = ""
    user_id: UUID | None = None
    session_id: UUID | None = None
    roles: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()
    api_key_id: UUID | None = None
    attempt: Attempt | None = None

    def may(self, permission: str) -> bool:
        return permission in self.permissions

    def require(self, permission: str) -> None:
        """Raises `Forbidden`, or `Unauthenticated` where nobody is known at all."""
        if self.may(permission):
            return
        if self.user_id is None:
            raise Unauthenticated
        raise Forbidden(permission)

    def as_user(self, user_id: UUID) -> "Actor":
        """The same call, made by this user."""
        return replace(self, user_id=user_id)

    def known_user_id(self) -> UUID:
        """The id of the user. Raises `Unauthenticated` for a visitor."""
        if self.user_id is None:
            raise Unauthenticated
        return self.user_id


SYSTEM = Actor(request_id="system")
"""The program itself: commands and jobs."""
