"""A signing key as it is stored: its private half sealed with the master secret."""

from dataclasses import dataclass
from datetime import datetime

from midrise.foundation.security.signing_keys import KeyState


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An Ed25519 key; what opens ``sealed_private_key`` is not in the database."""

    kid: str
    public_key: bytes
    sealed_private_key: bytes
    state: KeyState
    created_at: datetime
