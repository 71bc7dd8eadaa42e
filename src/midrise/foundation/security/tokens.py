"""Access tokens: JWTs as RFC 9068 profiles them, signed by Ed25519, read as strictly as RFC 8725 asks.

The service reads only what the service writes. The header of a token must be, byte for byte, the one that is
written for a key of the ring; that leaves no place for another algorithm, for `crit`, `jku`, `x5u`, `jwk`,
repeated members or two key ids.
"""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwa import JWSAlgModel
from joserfc.jws import JWSRegistry

from midrise.foundation import clock
from midrise.foundation.errors import Unauthenticated
from midrise.foundation.ids import new_id
from midrise.foundation.security.signing_keys import ALGORITHM, KeyRing, RingKeys, find_kid

LARGEST_TOKEN_BYTES = 4096


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """Who issues access tokens, for whom, and for how long.

    `leeway_seconds` is by how much the clocks of two instances may differ. `most_remembered` is how many
    verified tokens a process remembers (about 1 KiB each), so that it checks a signature once.
    """

    issuer: str = "midrise"
    audience: str = "midrise"
    lifetime_seconds: int = 600
    leeway_seconds: int = 5
    most_remembered: int = 8192


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified token says: whose it is, of which session, when it ends (seconds since 1970), and the
    id of the key that signed it. ``digest`` stands for the token where it is remembered."""

    user_id: UUID
    session_id: UUID
    token_id: UUID
    issued_at: int
    expires_at: int
    kid: str
    digest: bytes


class AccessTokens:
    """Issues and verifies access tokens with the keys of a ring."""

    def __init__(self, settings: TokenSettings, ring: KeyRing) -> None:
        self._settings = settings
        self._ring = ring
        self._remembered: OrderedDict[bytes, AccessClaims] = OrderedDict()
        self._remembered_under: RingKeys | None = None

    @property
    def issuer(self) -> str:
        """Who gives the tokens out: the `iss` of each."""
        return self._settings.issuer

    @property
    def lifetime_seconds(self) -> int:
        return self._settings.lifetime_seconds

    def issue(self, user_id: UUID, session_id: UUID) -> str:
        """A token for the session, signed by the current key. Raises `Unavailable` where none is loaded."""
        issued_at = int(clock.timestamp())
        claims = _Claims(
            iss=self._settings.issuer,
            aud=self._settings.audience,
            sub=user_id,
            sid=session_id,
            jti=new_id(),
            iat=issued_at,
            nbf=issued_at,
            exp=issued_at + self._settings.lifetime_seconds,
        )
        return self._ring.keys.sign(msgspec.json.encode(claims))

    def verify(self, token: str) -> AccessClaims:
        """What the token says, if a key of the ring signed it and it is in force.

        Raises `Unauthenticated`, and `Unavailable` before the keys are loaded: nobody is logged out by that.
        Nothing is asked of the database or the cache: whether the session still stands is another question.
        """
        if len(token) > LARGEST_TOKEN_BYTES or not token.isascii():
            raise Unauthenticated
        digest = hashlib.sha256(token.encode("ascii")).digest()
        claims = self._recall(digest)
        if claims is None:
            claims = self._check(token, digest)
            self._remember(digest, claims)
        if claims.expires_at + self._settings.leeway_seconds <= clock.timestamp():
            raise Unauthenticated
        return claims

    def find_unknown_kid(self, token: str) -> str | None:
        """The key that a token names which the ring doesn't hold; None for any other token."""
        header = token.partition(".")[0]
        return None if header in self._ring.keys.kids else find_kid(header)

    def _recall(self, digest: bytes) -> AccessClaims | None:
        keys = self._ring.keys
        if self._remembered_under is not keys:
            self._remembered.clear()
            self._remembered_under = keys
        claims = self._remembered.get(digest)
        if claims is not None:
            self._remembered.move_to_end(digest)
        return claims

    def _remember(self, digest: bytes, claims: AccessClaims) -> None:
        self._remembered[digest] = claims
        if len(self._remembered) > self._settings.most_remembered:
            self._remembered.popitem(last=False)

    def _check(self, token: str, digest: bytes) -> AccessClaims:
        header, _, rest = token.partition(".")
        key = self._ring.keys.verifying_jwks.get(header)
        if key is None or rest.count(".") != 1:
            raise Unauthenticated
        try:
            payload = jws.deserialize_compact(token, key, registry=_ONE_ALGORITHM).payload
            claims = _read_claims(payload or b"")
        except (JoseError, ValueError, RecursionError) as error:
            raise Unauthenticated from error
        self._refuse_wrong_claims(claims)
        return AccessClaims(
            user_id=claims.sub,
            session_id=claims.sid,
            token_id=claims.jti,
            issued_at=claims.iat,
            expires_at=claims.exp,
            kid=self._ring.keys.kids[header],
            digest=digest,
        )

    def _refuse_wrong_claims(self, claims: "_Claims") -> None:
        latest_start = clock.timestamp() + self._settings.leeway_seconds
        if (
            claims.iss != self._settings.issuer
            or claims.aud != self._settings.audience
            or claims.nbf > latest_start
            or claims.iat > latest_start
        ):
            raise Unauthenticated


class _Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The members of a payload: all of them, no others, each of its one type."""

    iss: str
    aud: str
    sub: UUID
    sid: UUID
    jti: UUID
    iat: int
    nbf: int
    exp: int


def _read_claims(payload: bytes) -> _Claims:
    """Raises `ValueError` (`msgspec.ValidationError` is one)."""
    return msgspec.convert(json.loads(payload, object_pairs_hook=_refuse_repeated), _Claims)


def _refuse_repeated(members: list[tuple[str, Any]]) -> Mapping[str, Any]:
    claims = dict(members)
    if len(claims) != len(members):
        raise ValueError("a member stands twice")
    return claims


class _OneAlgorithm(JWSRegistry):
    """Knows a single algorithm, whatever a header or a key would like.

    It also spares the warning that joserfc gives for the name `EdDSA` since RFC 9864 calls it `Ed25519`: the
    ring holds Ed25519 keys only, and the older name is what other services' libraries know.
    """

    def get_alg(self, name: str) -> JWSAlgModel:
        if name != ALGORITHM:
            raise UnsupportedAlgorithmError(f"Algorithm of '{name}' is not allowed")
        return JWSRegistry.algorithms[ALGORITHM]


_ONE_ALGORITHM = _OneAlgorithm(algorithms=[ALGORITHM])
