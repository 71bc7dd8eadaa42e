"""Refresh tokens: nothing of them is stored, and the same one can be computed again.

A token is the session's id, the id of the secret that made it, the session's generation, and an HMAC-SHA-256
over these and the session's nonce. The nonce is in the database only; so a token can't be made without it,
and changing it kills every token of the session. Which generation is in force is the database's word.
"""

import base64
import binascii
import hmac
import struct
from dataclasses import dataclass, field
from uuid import UUID

from midrise.foundation.errors import Unauthenticated
from midrise.foundation.security.secrets import MasterSecret

LARGEST_GENERATION = 2**32 - 1
_FORMAT = 1
_FIELDS = struct.Struct(">B16s4sI")  # format, session id, secret id, generation
_MAC_BYTES = 32
_TOKEN_BYTES = _FIELDS.size + _MAC_BYTES
TOKEN_CHARACTERS = (_TOKEN_BYTES * 4 + 2) // 3
"""How long every refresh token is."""


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a token says of itself. Nothing of it is proved before `RefreshTokens.matches`."""

    session_id: UUID
    secret_id: str
    generation: int
    mac: bytes = field(repr=False)


class RefreshTokens:
    """Makes and checks refresh tokens with a key derived from the master secret."""

    def __init__(self, master: MasterSecret) -> None:
        self._secret_id = master.secret_id
        self._keys = {
            known.secret_id: known.derive("refresh tokens") for known in (*reversed(master.previous), master)
        }

    def issue(self, session_id: UUID, generation: int, *, nonce: bytes) -> str:
        """The token of that generation: the same arguments give the same token."""
        fields = _pack(session_id, self._secret_id, generation)
        mac = _mac(self._keys[self._secret_id], fields, nonce)
        return base64.urlsafe_b64encode(fields + mac).decode().rstrip("=")

    def parse(self, token: str) -> RefreshClaims:
        """Read a token without checking it. Raises `Unauthenticated` where it can't be one of ours."""
        raw = _decode(token)
        version, session_id, secret_id, generation = _FIELDS.unpack_from(raw)
        if version != _FORMAT:
            raise Unauthenticated
        return RefreshClaims(
            session_id=UUID(bytes=session_id),
            secret_id=secret_id.hex(),
            generation=generation,
            mac=raw[_FIELDS.size :],
        )

    def matches(self, claims: RefreshClaims, nonce: bytes) -> bool:
        """Whether we made this token for the session with that nonce; takes the same time either way."""
        key = self._keys.get(claims.secret_id)
        if key is None:
            return False
        fields = _pack(claims.session_id, claims.secret_id, claims.generation)
        return hmac.compare_digest(_mac(key, fields, nonce), claims.mac)


def _pack(session_id: UUID, secret_id: str, generation: int) -> bytes:
    return _FIELDS.pack(_FORMAT, session_id.bytes, bytes.fromhex(secret_id), generation)


def _mac(key: bytes, fields: bytes, nonce: bytes) -> bytes:
    # The fields have a fixed length, so the nonce needs none before it.
    return hmac.digest(key, fields + nonce, "sha256")


def _decode(token: str) -> bytes:
    if len(token) != TOKEN_CHARACTERS or not token.isascii():
        raise Unauthenticated
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise Unauthenticated from error
    # Unused bits behind the last character would give one token several spellings.
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != token:
        raise Unauthenticated
    return raw
