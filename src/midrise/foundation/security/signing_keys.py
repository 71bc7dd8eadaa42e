"""The keys that sign access tokens: made here, kept sealed, published as a JWKS document (RFC 7517).

A key lives through four states. It is published before it signs, and verifies until the last token that it
signed has expired, so that a change of keys logs nobody out.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import OKPKey

from midrise.foundation.errors import Unavailable
from midrise.foundation.security.secrets import MasterSecret, SealBroken

ALGORITHM = "EdDSA"  # RFC 8037; the newer name `Ed25519` (RFC 9864) is still unknown to most verifiers
TOKEN_TYPE = "at+jwt"  # noqa: S105  the media type of RFC 9068, section 2.1, no secret
_SEALING_PURPOSE = "signing key"


class KeyState(StrEnum):
    """Where a signing key is in its life."""

    NEXT = "next"
    """Published, does not sign yet."""
    CURRENT = "current"
    """The one that signs."""
    RETIRED = "retired"
    """Signs no longer, still verifies."""
    REVOKED = "revoked"
    """Neither: its tokens are dead."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key. `private` is its 32-byte seed, `public` its 32-byte point (RFC 8032)."""

    kid: str
    public: bytes
    private: bytes = field(repr=False)
    state: KeyState

    def moved_to(self, state: KeyState) -> "SigningKey":
        return replace(self, state=state)


def generate_signing_key(state: KeyState = KeyState.NEXT) -> SigningKey:
    """Make a key. Its id is its thumbprint (RFC 7638), so that an id never names two keys."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    kid = _public_jwk(public).thumbprint()
    return SigningKey(kid=kid, public=public, private=private.private_bytes_raw(), state=state)


def seal_private(key: SigningKey, master: MasterSecret) -> bytes:
    """The private half as it is stored; opens only under the same key id."""
    return master.seal(_SEALING_PURPOSE, key.private, associated=key.kid.encode())


def open_private(
    sealed: bytes, master: MasterSecret, *, kid: str, public: bytes, state: KeyState
) -> SigningKey:
    """Put a stored key together again. Raises `SealBroken`, also where the halves do not belong together."""
    private = master.open(_SEALING_PURPOSE, sealed, associated=kid.encode())
    if Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw() != public:
        raise SealBroken(f"The private half of the signing key {kid} does not belong to its public half.")
    return SigningKey(kid=kid, public=public, private=private, state=state)


class RingKeys:
    """The keys of one moment; never changes, so its identity stands for what was verified with it."""

    def __init__(self, keys: Iterable[SigningKey]) -> None:
        self.keys = tuple(key for key in keys if key.state is not KeyState.REVOKED)
        current = [key for key in self.keys if key.state is KeyState.CURRENT]
        if len(current) != 1:
            raise ValueError(f"exactly one signing key must be current, not {len(current)}")
        if len({key.kid for key in self.keys}) != len(self.keys):
            raise ValueError("two signing keys have the same id")
        self.current_kid = current[0].kid
        self._current_segment = header_segment(current[0].kid)
        self._current_key = Ed25519PrivateKey.from_private_bytes(current[0].private)
        self.verifying_jwks: Mapping[str, OKPKey] = {
            header_segment(key.kid): _public_jwk(key.public) for key in self.keys
        }
        self.kids: Mapping[str, str] = {header_segment(key.kid): key.kid for key in self.keys}
        self.jwks: Mapping[str, Any] = {"keys": [_published_jwk(key) for key in self.keys]}

    def sign(self, payload: bytes) -> str:
        """A compact token (RFC 7515, section 7.1) with that payload, signed by the current key.

        Put together here: what the library checks each time of header and key is fixed for as long as the keys.
        """
        signed = f"{self._current_segment}.{_base64url(payload)}"
        return f"{signed}.{_base64url(self._current_key.sign(signed.encode()))}"


class KeyRing:
    """The keys that are in force in this process; exchanged as a whole when they change in the database."""

    def __init__(self, keys: Iterable[SigningKey] = ()) -> None:
        first = tuple(keys)
        self._keys = RingKeys(first) if first else None

    @property
    def keys(self) -> RingKeys:
        """The present keys. Raises `Unavailable` before they were loaded."""
        if self._keys is None:
            raise Unavailable
        return self._keys

    def swap(self, keys: Iterable[SigningKey]) -> None:
        """Put other keys in force, at once and for all. The same keys again change nothing."""
        fresh = RingKeys(keys)
        if self._keys is None or fresh.keys != self._keys.keys:
            self._keys = fresh

    def jwks(self) -> Mapping[str, Any]:
        """The public keys, as other services read them: next, current and retired ones."""
        return self.keys.jwks


def header_segment(kid: str) -> str:
    """The first part of every compact token that is signed with the key: these members, in this order."""
    text = json.dumps({"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": kid}, separators=(",", ":"))
    return _base64url(text.encode())


def find_kid(segment: str) -> str | None:
    """The key that the first part of a token names; None where it is not the header of any key of ours."""
    if len(segment) != _SEGMENT_CHARACTERS:
        return None
    try:
        header = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except ValueError:
        return None
    kid = header.get("kid") if isinstance(header, dict) else None
    return kid if isinstance(kid, str) and header_segment(kid) == segment else None


def _public_jwk(public: bytes) -> OKPKey:
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": _base64url(public)})


def _published_jwk(key: SigningKey) -> dict[str, str]:
    return {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": ALGORITHM,
        "kid": key.kid,
        "x": _base64url(key.public),
    }


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


# Every key's id is a thumbprint, a SHA-256 in base64url: so all headers are of one length.
_SEGMENT_CHARACTERS = len(header_segment("k" * 43))
