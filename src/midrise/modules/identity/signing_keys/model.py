"""A signing key as it is stored, when it changes its state, and what is said of that."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from midrise.foundation.security.signing_keys import KeyState

KEYS_GENERATION = "signing_keys"
"""The generation of which keys verify."""

JWKS_SECONDS = 300
"""How long other services may keep the published keys."""
PUBLISHED_SECONDS = 2 * JWKS_SECONDS
"""How long a key is published before it signs: others must have asked for the keys again since."""
ROTATED_AFTER = timedelta(days=90)
"""How long a key signs before the worker has the next one sign."""
KEPT_AFTER_LAST_TOKEN = timedelta(hours=1)
"""How much longer a retired key verifies than its last token lives: clocks differ, and a moment was enough."""


class SigningKeyAction(StrEnum):
    """What the audit says of signing keys."""

    ROTATED = "signing_key:rotated"
    REVOKED = "signing_key:revoked"


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An Ed25519 key; what opens ``sealed_private_key`` is not in the database. It is in its state since
    ``moved_at``."""

    kid: str
    public_key: bytes
    sealed_private_key: bytes
    state: KeyState
    created_at: datetime
    moved_at: datetime

    @property
    def resource(self) -> str:
        """Its name in the audit."""
        return f"signing_key:{self.kid}"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of a rotation: the key that signs now, or how long to wait until the next one is known
    everywhere."""

    current_kid: str
    wait_seconds: int = 0


def find_state(keys: list[StoredKey], state: KeyState) -> StoredKey | None:
    """The one key in that state."""
    return next((key for key in keys if key.state is state), None)
