"""Forged access tokens.

They are made by hand, as an attacker makes them: without the library that is to refuse them. Many are signed
by the service's own key, which no attacker has: so each shows that its one fault is enough.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from midrise.foundation import clock
from midrise.foundation.ids import new_id
from midrise.foundation.security.signing_keys import SigningKey

Signer = Callable[[bytes], bytes]


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def compact(header: bytes, payload: bytes, sign: Signer) -> str:
    signed = f"{base64url(header)}.{base64url(payload)}"
    return f"{signed}.{base64url(sign(signed.encode()))}"


@dataclass
class Forger:
    """Knows the service's public key, has keys of its own and, at worst, the service's private one."""

    key: SigningKey
    issuer: str
    audience: str
    stranger: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def header(self, **changes: Any) -> dict[str, Any]:
        header = {"alg": "EdDSA", "typ": "at+jwt", "kid": self.key.kid} | changes
        return {name: value for name, value in header.items() if value is not ...}

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(clock.timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": str(new_id()),
            "sid": str(new_id()),
            "jti": str(new_id()),
            "iat": now,
            "nbf": now,
            "exp": now + 600,
        } | changes
        return {name: value for name, value in claims.items() if value is not ...}

    def service_signs(self, data: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.key.private).sign(data)

    def good(self) -> str:
        return compact(dump(self.header()), dump(self.claims()), self.service_signs)

    def with_header(self, **changes: Any) -> str:
        return compact(dump(self.header(**changes)), dump(self.claims()), self.service_signs)

    def with_claims(self, **changes: Any) -> str:
        return compact(dump(self.header()), dump(self.claims(**changes)), self.service_signs)

    def with_raw_header(self, header: bytes) -> str:
        return compact(header, dump(self.claims()), self.service_signs)

    def with_raw_payload(self, payload: bytes) -> str:
        return compact(dump(self.header()), payload, self.service_signs)

    def signed_by(self, algorithm: str, sign: Signer) -> str:
        return compact(dump(self.header(alg=algorithm)), dump(self.claims()), sign)

    def forgeries(self) -> dict[str, str]:
        """Every forged token by what is wrong with it."""
        return (
            self._wrong_algorithms()
            | self._header_tricks()
            | self._wrong_claims()
            | self._bent_payloads()
            | self._bent_texts()
        )

    def _wrong_algorithms(self) -> dict[str, str]:
        public_pem = (
            Ed25519PrivateKey.from_private_bytes(self.key.private)
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        )
        rsa_key = rsa.generate_private_key(65537, 2048)
        ec_key = ec.generate_private_key(ec.SECP256R1())

        def hmac_with(secret: bytes) -> Signer:
            return lambda data: hmac.digest(secret, data, hashlib.sha256)

        return {
            "none": self.signed_by("none", lambda _: b""),
            "None": self.signed_by("None", lambda _: b""),
            "NONE": self.signed_by("NONE", lambda _: b""),
            "nOnE with a signature": self.signed_by("nOnE", self.service_signs),
            "HS256 with the public key": self.signed_by("HS256", hmac_with(self.key.public)),
            "HS256 with the public PEM": self.signed_by("HS256", hmac_with(public_pem)),
            "HS256 with an empty secret": self.signed_by("HS256", hmac_with(b"")),
            "HS256 with the key id": self.signed_by("HS256", hmac_with(self.key.kid.encode())),
            "RS256": self.signed_by(
                "RS256", lambda data: rsa_key.sign(data, padding.PKCS1v15(), hashes.SHA256())
            ),
            "ES256": self.signed_by("ES256", lambda data: ec_key.sign(data, ec.ECDSA(hashes.SHA256()))),
            "Ed448": self.signed_by("EdDSA", Ed448PrivateKey.generate().sign),
            "RFC 9864's name": self.signed_by("Ed25519", self.service_signs),
            "eddsa in small letters": self.signed_by("eddsa", self.service_signs),
            "no algorithm": self.with_header(alg=...),
            "algorithm null": self.with_header(alg=None),
            "algorithm a list": self.with_header(alg=["EdDSA"]),
            "a stranger's key": self.signed_by("EdDSA", self.stranger.sign),
            "an empty signature": self.signed_by("EdDSA", lambda _: b""),
            "a signature of zeros": self.signed_by("EdDSA", lambda _: bytes(64)),
            "half a signature": self.signed_by("EdDSA", lambda data: self.service_signs(data)[:32]),
            "a signature and more": self.signed_by("EdDSA", lambda data: self.service_signs(data) + b"\0"),
            "a signature of other data": self.signed_by("EdDSA", lambda data: self.service_signs(data + b" ")),
        }

    def _header_tricks(self) -> dict[str, str]:
        own = {"kty": "OKP", "crv": "Ed25519", "x": base64url(self.stranger.public_key().public_bytes_raw())}

        def by_stranger(**changes: Any) -> str:
            return compact(dump(self.header(**changes)), dump(self.claims()), self.stranger.sign)

        kid = self.key.kid
        return {
            "jwk in the header": by_stranger(jwk=own),
            "jku": by_stranger(jku="http://127.0.0.1:1/jwks.json"),
            "x5u": by_stranger(x5u="http://127.0.0.1:1/chain.pem"),
            "x5c": by_stranger(x5c=["MIIB"]),
            "crit of nothing known": self.with_header(crit=["exp"], exp=1),
            "crit empty": self.with_header(crit=[]),
            "b64 false": self.with_header(b64=False, crit=["b64"]),
            "zip": self.with_header(zip="DEF"),
            "unknown member": self.with_header(role="administrator"),
            "typ JWT": self.with_header(typ="JWT"),
            "typ in capitals": self.with_header(typ="AT+JWT"),
            "no typ": self.with_header(typ=...),
            "typ of a refresh token": self.with_header(typ="rt+jwt"),
            "cty": self.with_header(cty="JWT"),
            "unknown kid": by_stranger(kid="unknown"),
            "no kid": self.with_header(kid=...),
            "kid null": self.with_header(kid=None),
            "kid a number": self.with_header(kid=0),
            "kid a path": by_stranger(kid="../../../../dev/null"),
            "kid an SQL injection": by_stranger(kid="' UNION SELECT 'key'--"),
            "two kids": self.with_raw_header(
                b'{"alg":"EdDSA","typ":"at+jwt","kid":"other","kid":"%s"}' % kid.encode()
            ),
            "two algorithms": self.with_raw_header(
                b'{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"%s"}' % kid.encode()
            ),
            "header with spaces": self.with_raw_header(json.dumps(self.header()).encode()),
            "header an array": self.with_raw_header(b"[]"),
            "header not JSON": self.with_raw_header(b"{"),
            "header empty": self.with_raw_header(b""),
        }

    def _wrong_claims(self) -> dict[str, str]:
        now = int(clock.timestamp())
        return {
            "another issuer": self.with_claims(iss="https://elsewhere.example"),
            "no issuer": self.with_claims(iss=...),
            "issuer a list": self.with_claims(iss=[self.issuer]),
            "another audience": self.with_claims(aud="billing"),
            "no audience": self.with_claims(aud=...),
            "audience a list": self.with_claims(aud=[self.audience, "billing"]),
            "expired": self.with_claims(iat=now - 700, nbf=now - 700, exp=now - 100),
            "no expiry": self.with_claims(exp=...),
            "expiry null": self.with_claims(exp=None),
            "expiry a text": self.with_claims(exp=str(now + 600)),
            "expiry true": self.with_claims(exp=True),
            "not yet": self.with_claims(nbf=now + 300),
            "no nbf": self.with_claims(nbf=...),
            "issued in the future": self.with_claims(iat=now + 300),
            "no subject": self.with_claims(sub=...),
            "subject no id": self.with_claims(sub="administrator"),
            "no session": self.with_claims(sid=...),
            "session null": self.with_claims(sid=None),
            "no token id": self.with_claims(jti=...),
            "an unknown claim": self.with_claims(role="administrator"),
        }

    def _bent_payloads(self) -> dict[str, str]:
        whole = dump(self.claims())
        return {
            "two subjects": self.with_raw_payload(whole[:-1] + b',"sub":"%s"}' % str(new_id()).encode()),
            "two expiries": self.with_raw_payload(whole[:-1] + b',"exp":99999999999}'),
            "expiry NaN": self.with_raw_payload(dump(self.claims(exp=float("nan")))),
            "expiry infinite": self.with_raw_payload(dump(self.claims(exp=float("inf")))),
            "bytes behind the payload": self.with_raw_payload(whole + b"{}"),
            "payload an array": self.with_raw_payload(b"[]"),
            "payload null": self.with_raw_payload(b"null"),
            "payload empty": self.with_raw_payload(b""),
            "payload not UTF-8": self.with_raw_payload(b"\xff\xfe\xfd"),
            "payload nested absurdly": self.with_raw_payload(b"[" * 1500),
        }

    def _bent_texts(self) -> dict[str, str]:
        good = self.good()
        header, payload, signature = good.split(".")
        return {
            "empty": "",
            "dots": "..",
            "one part": header,
            "two parts": f"{header}.{payload}",
            "four parts": f"{good}.{signature}",
            "five parts, as an encrypted token has": f"{header}.{payload}.{signature}.a.b",
            "trailing dot": f"{good}.",
            "trailing newline": f"{good}\n",
            "trailing NUL": f"{good}\0",
            "trailing padding": f"{good}==",
            "leading space": f" {good}",
            "payload exchanged": f"{header}.{base64url(dump(self.claims()))}.{signature}",
            "payload padded": f"{header}.{payload}=.{signature}",
            "signature in the other alphabet": f"{header}.{payload}.+/{signature[2:]}",
            "signature with another last character": good[:-1] + next(c for c in "AQgw" if c != good[-1]),
            "signature with unused bits": good[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[good[-1]],
            "not ASCII": good[:-1] + "é",
            "a lone surrogate": good[:-1] + "\ud800",
            "64 KiB behind it": good + "A" * 65_536,
            "64 KiB of payload": self.with_claims(jti="a" * 65_536),
            "an API key": "mr_" + "a" * 40,
        }
