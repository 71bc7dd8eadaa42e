"""A place where somebody is logged in."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class DeviceAction(StrEnum):
    """What the audit says of sessions that end together."""

    ALL_ENDED = "session:all:ended"


@dataclass(frozen=True, slots=True)
class Device:
    """A session that stands, as its owner sees it.

    ``user_agent`` and ``address`` are those of the log-in or of the last refresh, whichever was later, and so
    is ``last_used_at``: a request with an access token writes nothing.
    """

    id: UUID
    user_agent: str
    address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
