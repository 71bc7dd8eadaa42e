"""API keys as texts: what a program sends, and what of it is proved without asking anybody.

A key is ``mr_`` and, in base64url, the id of the master secret, the key's id, its owner's id, 32 random bytes
(the key's secret), and a check value: an HMAC-SHA-256 over the others by a key derived from the master secret.
The check value turns forged keys away before anything is asked for them, and proves whose quota is spent. It is
not what lets a key in: that is its secret, of which only the SHA-256 is stored. Of 256 random bits a plain
digest is enough: a slow hash protects what can be guessed, and this can't.
"""

import base64
import hashlib
import hmac
import re
import secrets
import struct
from dataclasses import dataclass, field
from uuid import UUID

from midrise.foundation.errors import Unauthenticated
from midrise.foundation.security.secrets import MasterSecret

API_KEY_PREFIX = "mr_"

_FIELDS = struct.Struct(">4s16s16s32s")  # secret id, key id, owner's id, secret
_MAC_BYTES = 16
# 84 bytes are 112 characters with none to spare: every key has exactly one spelling.
_TEXT = re.compile(r"mr_[A-Za-z0-9_-]{112}")


@dataclass(frozen=True, slots=True)
class ApiKeyClaims:
    """What a key says of itself. ``digest`` is what its secret must have in the database."""

    user_id: UUID
    api_key_id: UUID
    digest: bytes = field(repr=False)


class ApiKeyTexts:
    """Makes the texts of keys, and reads them."""

    def __init__(self, master: MasterSecret) -> None:
        self._secret_id = bytes.fromhex(master.secret_id)
        self._keys = {
            bytes.fromhex(known.secret_id): known.derive("api keys")
            for known in (*reversed(master.previous), master)
        }

    def issue(self, api_key_id: UUID, user_id: UUID) -> tuple[str, ApiKeyClaims]:
        """A new key's text, and what is known of it from then on: the text itself must not be kept."""
        secret = secrets.token_bytes(32)
        fields = _FIELDS.pack(self._secret_id, api_key_id.bytes, user_id.bytes, secret)
        raw = fields + _mac(self._keys[self._secret_id], fields)
        text = API_KEY_PREFIX + base64.urlsafe_b64encode(raw).decode()
        return text, ApiKeyClaims(user_id, api_key_id, hashlib.sha256(secret).digest())

    def read(self, text: str) -> ApiKeyClaims:
        """What a text says that was made here. Raises `Unauthenticated`; nothing is asked of anybody."""
        if _TEXT.fullmatch(text) is None:
            raise Unauthenticated
        raw = base64.urlsafe_b64decode(text[len(API_KEY_PREFIX) :])
        fields, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        secret_id, api_key_id, user_id, secret = _FIELDS.unpack(fields)
        key = self._keys.get(secret_id)
        if key is None or not hmac.compare_digest(_mac(key, fields), mac):
            raise Unauthenticated
        return ApiKeyClaims(UUID(bytes=user_id), UUID(bytes=api_key_id), hashlib.sha256(secret).digest())


def _mac(key: bytes, fields: bytes) -> bytes:
    return hmac.digest(key, fields, "sha256")[:_MAC_BYTES]
