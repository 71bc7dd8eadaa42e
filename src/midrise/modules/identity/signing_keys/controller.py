"""`/.well-known/jwks.json`."""

import msgspec
from litestar import Controller, Response, get

from midrise.foundation.http.access import ANYONE
from midrise.foundation.http.current import Injected
from midrise.modules.identity.signing_keys.model import JWKS_SECONDS
from midrise.modules.identity.signing_keys.schemas import PublicKeys
from midrise.modules.identity.signing_keys.service import SigningKeys

# Long enough to spare calls, and half the time that a new key is published before it signs.
_CACHE_CONTROL = f"public, max-age={JWKS_SECONDS}"


class JwksController(Controller):
    """The public keys."""

    path = "/.well-known/jwks.json"
    tags = ("Operation",)

    @get(access=ANYONE, summary="List the public keys that verify access tokens")
    async def list_public_keys(self, signing_keys: Injected[SigningKeys]) -> Response[PublicKeys]:
        """A JWK set (RFC 7517). Other services verify tokens with it and need no secret."""
        await signing_keys.refresh()
        keys = msgspec.convert(signing_keys.ring.jwks(), PublicKeys)
        return Response(keys, headers={"cache-control": _CACHE_CONTROL})
