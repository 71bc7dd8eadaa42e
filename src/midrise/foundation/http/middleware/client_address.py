"""Whose request it is: the address of the client, not of the proxies between."""

import ipaddress
from collections.abc import Awaitable, Iterable, Sequence
from functools import lru_cache

from midrise.foundation.http.asgi import App, Receive, Scope, Send

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

GATEWAY_REQUEST = b"x-midrise-gateway-request"
"""The gateway's own number of a request, the same each time that it sends it."""
FORWARDED_FOR = b"x-forwarded-for"
_MOST_KNOWN = 4096
_LONGEST_KNOWN = 200


class Proxies:
    """Who may say for whom a request is.

    Behind a Unix socket only the gateway speaks, which has said the address itself. Otherwise
    `X-Forwarded-For` is read from the right, as far as the networks that are trusted reach; what a client put
    there itself is never believed.
    """

    def __init__(self, trusted_networks: Iterable[str]) -> None:
        self._trusted: Sequence[Network] = [
            ipaddress.ip_network(text, strict=False) for text in trusted_networks
        ]
        self._find_known = lru_cache(maxsize=_MOST_KNOWN)(self._find)

    def find_client(self, peer: str, forwarded: tuple[bytes, ...]) -> str:
        """The client's address, by that of who is at the other end of the connection and by what they say.

        ``peer`` is empty behind a Unix socket; ``forwarded`` are the values of the header in their order.
        """
        if sum(map(len, forwarded)) > _LONGEST_KNOWN:
            return self._find(peer, forwarded)
        return self._find_known(peer, forwarded)

    def are_believed(self, peer: str) -> bool:
        """Whether what they say of a request counts."""
        host = _plain(peer)
        return not host or self._is_trusted(host)

    def _find(self, peer: str, forwarded: tuple[bytes, ...]) -> str:
        host = _plain(peer)
        if not self.are_believed(peer):
            return host
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


class ClientAddress:
    """Puts the client's address into ``scope["client"]``.

    The number of a request is something that only a gateway can give: a stranger's is taken out.
    """

    def __init__(self, app: App, *, proxies: Proxies) -> None:
        self._app = app
        self._proxies = proxies

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        peer = peer_of(scope)
        forwarded = tuple([value for name, value in scope["headers"] if name == FORWARDED_FOR])
        if not self._proxies.are_believed(peer):
            scope["headers"] = [each for each in scope["headers"] if each[0] != GATEWAY_REQUEST]
        scope["client"] = (self._proxies.find_client(peer, forwarded), 0)
        return self._app(scope, receive, send)


def peer_of(scope: Scope) -> str:
    """Who is at the other end of the connection; empty for a Unix socket."""
    peer = scope.get("client")
    return peer[0] if peer else ""


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
