"""A session, its tokens, and the rules of renewing it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from midrise.foundation.errors import Unauthenticated

IDLE_LIFETIME = timedelta(days=30)
"""How long a refresh token lives."""
ABSOLUTE_LIFETIME = timedelta(days=180)
"""How long a session lives, however often it is renewed."""
GRACE_SECONDS = 30
"""How long a spent refresh token still gives its successor: parallel tabs and lost answers do no harm."""


class InvalidCredentials(Unauthenticated):
    """The e-mail address or the password is wrong, or the account is disabled: which, is not said."""

    code = "invalid_credentials"
    title = "The log-in failed"
    detail = "The e-mail address or the password is wrong"


class TokenReused(Unauthenticated):
    """A refresh token that was spent long ago was presented: it may be stolen, so its session was ended."""

    code = "token_reused"
    title = "The refresh token was used before"
    detail = "The session was ended; log in again"


class SessionAction(StrEnum):
    """What the audit says of sessions."""

    STARTED = "session:started"
    ENDED = "session:ended"
    REUSED = "session:token:reused"


@dataclass(frozen=True, slots=True)
class Session:
    """Logged in on one device. The refresh token in force is the one of its ``generation``."""

    id: UUID
    user_id: UUID
    generation: int
    nonce: bytes = field(repr=False)
    user_agent: str
    address: str
    created_at: datetime
    rotated_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    @property
    def resource(self) -> str:
        """Its name in the audit."""
        return f"session:{self.id}"


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as a refresh finds it; ages are by the database's clock."""

    session: Session
    is_alive: bool
    seconds_since_rotation: float


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets: lifetimes in seconds."""

    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str = field(repr=False)
    refresh_expires_in: int


class Renewal(StrEnum):
    """What becomes of a refresh token whose check value is right."""

    ROTATE = "rotate"
    REPEAT = "repeat"
    REUSED = "reused"


def renewal_of(stored: StoredSession, generation: int) -> Renewal:
    """What to do with a refresh token of that generation.

    The present one is exchanged for the next. The one before it gives that same next one again for 30 seconds,
    as long as it is unspent, which it is while it is the present one. Anything older was stolen, or lost for
    too long to tell.
    """
    present = stored.session.generation
    if generation == present:
        return Renewal.ROTATE
    if generation == present - 1 and stored.seconds_since_rotation <= GRACE_SECONDS:
        return Renewal.REPEAT
    return Renewal.REUSED


def next_expiry(session: Session, now: datetime) -> datetime:
    """When a session that is renewed now expires."""
    return min(now + IDLE_LIFETIME, session.created_at + ABSOLUTE_LIFETIME)
