"""`/.well-known/jwks.json`: other services verify our tokens with it, and need nothing else."""

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

pytestmark = pytest.mark.anyio

JWKS = "/.well-known/jwks.json"


def decoded(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def verified(token: str, keys: list[dict[str, str]]) -> dict[str, object]:
    """The claims of a token, by RFC 7515, 7517 and 8037 alone. Raises `InvalidSignature`."""
    header, payload, signature = token.split(".")
    read = json.loads(decoded(header))
    (key,) = (key for key in keys if key["kid"] == read["kid"])
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("OKP", "Ed25519", "sig", read["alg"])
    public = Ed25519PublicKey.from_public_bytes(decoded(key["x"]))
    public.verify(decoded(signature), f"{header}.{payload}".encode())
    return json.loads(decoded(payload))


async def test_anybody_gets_the_public_keys_and_nothing_private(client):
    answer = await client.get(JWKS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    keys = answer.json()["keys"]
    assert len(keys) == 2, "the one that signs, and the next one"
    for key in keys:
        assert set(key) == {"kid", "x", "kty", "crv", "use", "alg"}
        assert len(decoded(key["x"])) == 32


async def test_a_token_is_verified_with_them_and_no_secret(client, somebody):
    person = await somebody()
    keys = (await client.get(JWKS)).json()["keys"]
    claims = verified(person.tokens["access_token"], keys)
    assert claims["sub"] == person.id
    assert (claims["iss"], claims["aud"]) == ("midrise", "midrise")
    assert claims["exp"] - claims["iat"] == person.tokens["expires_in"]


async def test_a_token_that_was_changed_is_not(client, somebody):
    token = (await somebody()).tokens["access_token"]
    keys = (await client.get(JWKS)).json()["keys"]
    header, payload, signature = token.split(".")
    claims = json.loads(decoded(payload)) | {"exp": 2**40}
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    with pytest.raises(InvalidSignature):
        verified(f"{header}.{changed}.{signature}", keys)
