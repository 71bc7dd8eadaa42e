"""Whose request it is: the address of the client, not of the proxies between."""

import ipaddress
from collections.abc import Awaitable, Iterable, Sequence
from functools import lru_cache

from midrise.foundation.http.asgi import App, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

GATEWAY_REQUEST = b"x-midrise-gateway-request"
"""The gateway's own number of a request, the same each time that it sends it."""


class ClientAddress:
    """Puts the client's address into ``scope["client"]``.

    Behind a Unix socket only the gateway speaks, which has said the address itself. Otherwise
    `X-Forwarded-For` is read from the right, as far as the networks that are trusted reach; what a client put
    there itself is never believed. Nor is the number of a request that only a gateway can give: a stranger's is
    taken out.
    """

    def __init__(self, app: App, *, trusted_networks: Iterable[str]) -> None:
        self._app = app
        self._trusted: Sequence[Network] = [
            ipaddress.ip_network(text, strict=False) for text in trusted_networks
        ]

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        peer = scope.get("client")
        host = _plain(peer[0]) if peer else ""
        if host and not self._is_trusted(host):
            scope["headers"] = [each for each in scope["headers"] if each[0] != GATEWAY_REQUEST]
        else:
            host = self._forwarded(scope, host)
        scope["client"] = (host, 0)
        return self._app(scope, receive, send)

    def _forwarded(self, scope: Scope, host: str) -> str:
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        hops = [hop.strip() for value in forwarded for hop in value.decode("latin-1").split(",")]
        for hop in reversed(hops):
            if _parsed(hop) is None:
                break
            host = _plain(hop)
            if not self._is_trusted(host):
                break
        return host

    def _is_trusted(self, host: str) -> bool:
        address = _parsed(host)
        return address is not None and any(address in network for network in self._trusted)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Address | None:
    """The address; None for what is none, or has a zone, which means nothing on another machine."""
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _plain(text: str) -> str:
    """The one spelling of an address: a socket for both protocols shows IPv4 as `::ffff:203.0.113.7`."""
    address = _parsed(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address or text)
