"""Servers that stand outside the topology: can they be reached at all?"""

from collections.abc import Iterable, Iterator
from urllib.parse import parse_qs, unquote, urlsplit

from midrise.topology.probe import connects

LIMIT_S = 5
PORTS = {"postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379, "valkey": 6379, "valkeys": 6379}


async def first_unreachable(urls: Iterable[str]) -> str | None:
    """The first server, as ``host:port``, of which no host takes connections; None when all can be reached.

    Unix sockets and addresses that this doesn't understand are left to who connects to them.
    """
    for url in urls:
        hosts = list(_hosts(url))
        if not hosts:
            continue
        for host, port in hosts:
            if await connects(host, port, limit_s=LIMIT_S):
                break
        else:
            return ", ".join(f"{host}:{port}" for host, port in hosts)
    return None


def _hosts(url: str) -> Iterator[tuple[str, int]]:
    """The hosts of a URL; PostgreSQL's may name several, and may name them in the query."""
    parts = urlsplit(url)
    port = PORTS.get(parts.scheme.split("+")[0])
    if port is None:
        return
    queried = parse_qs(parts.query).get("host", [])
    places = [host for value in queried for host in value.split(",")] or parts.netloc.rpartition("@")[2].split(
        ","
    )
    for place in places:
        host, number = _split(unquote(place), port)
        if host and not host.startswith("/"):
            yield host, number


def _split(place: str, default_port: int) -> tuple[str, int]:
    """Host and port of ``host``, ``host:port`` or ``[::1]:port``."""
    host, colon, number = place.rpartition(":")
    if colon and number.isdigit() and (not host.count(":") or host.endswith("]")):
        return host.strip("[]"), int(number)
    return place.strip("[]"), default_port
