"""Public keys over HTTP: a JWK set (RFC 7517)."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class PublicKey(msgspec.Struct):
    """An Ed25519 key that verifies access tokens (RFC 8037)."""

    # The examples are those of RFC 8037, appendix A.
    kid: Annotated[
        str,
        Meta(
            description="The key's thumbprint (RFC 7638)",
            examples=["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"],
        ),
    ]
    x: Annotated[
        str,
        Meta(
            description="The public point in base64url",
            examples=["11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"],
        ),
    ]
    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    use: Literal["sig"] = "sig"
    alg: Literal["EdDSA"] = "EdDSA"


class PublicKeys(msgspec.Struct):
    """Every key that a token in force may be signed with."""

    keys: list[PublicKey]
