"""A key that a program calls with, and what is said of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from midrise.foundation.errors import Conflict

MOST_KEYS = 100
"""How many keys somebody can have: what is listed and looked through stays small."""


class TooManyApiKeys(Conflict):
    """Nobody needs more than a hundred keys: delete those that are no longer used."""

    code = "too_many_api_keys"
    title = "There are too many API keys"
    detail = "Delete keys that are no longer used"


class ApiKeyAction(StrEnum):
    """What the audit says of API keys."""

    CREATED = "api_key:created"
    ENDED = "api_key:ended"
    ALL_ENDED = "api_key:all:ended"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner sees it. ``last_used_at`` may be an hour behind."""

    id: UUID
    name: str
    permissions: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None

    @property
    def resource(self) -> str:
        """Its name in the audit."""
        return f"api_key:{self.id}"


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key to be made; without ``expires_at`` it stands until it is deleted."""

    name: str
    permissions: tuple[str, ...]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedApiKey:
    """A key that was made, and its text, which nobody is shown again."""

    key: ApiKey
    text: str = field(repr=False)
