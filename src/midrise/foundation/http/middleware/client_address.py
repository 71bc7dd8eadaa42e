"""Whose request it is: the address of the client, not of the proxies between."""

import ipaddress
from collections.abc import Iterable, Sequence

from midrise.foundation.http.asgi import App, Receive, Scope, Send

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientAddress:
    """Puts the client's address into ``scope["client"]``.

    Behind a Unix socket only the gateway speaks, which has said the address itself. Otherwise
    `X-Forwarded-For` is read from the right, as far as the networks that are trusted reach; what a client put
    there itself is never believed.
    """

    def __init__(self, app: App, *, trusted_networks: Iterable[str]) -> None:
        self._app = app
        self._trusted: Sequence[Network] = [
            ipaddress.ip_network(text, strict=False) for text in trusted_networks
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["client"] = (self._address(scope), 0)
        await self._app(scope, receive, send)

    def _address(self, scope: Scope) -> str:
        peer = scope.get("client")
        host = peer[0] if peer else ""
        if host and not self._is_trusted(host):
            return host
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = [hop.strip() for value in forwarded for hop in value.decode("latin-1").split(",")]
        for hop in reversed(hops):
            if not _is_address(hop):
                break
            host = hop
            if not self._is_trusted(hop):
                break
        return host

    def _is_trusted(self, host: str) -> bool:
        if not _is_address(host):
            return False
        address = ipaddress.ip_address(host)
        return any(address in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
