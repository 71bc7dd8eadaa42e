"""A URL that names several hosts, as libpq has it, taken apart: each server is asked for itself what it is."""

from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

_DECIDED_HERE = "target_session_attrs"
"""What a URL may say of the server that it wants; here that is found out by asking all of them."""


def each_host(url: str) -> list[str]:
    """One URL for each host that this one names, in its order.

    Hosts stand in the address (``one:5432,two:5433``) or in the query (``?host=/run/a,/run/b&port=5432,5433``;
    one port counts for all). Raises `ValueError` where the ports don't fit the hosts.
    """
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in query if name not in {"host", "port", _DECIDED_HERE}]
    place = dict(query)
    user, at, addresses = parts.netloc.rpartition("@")
    if place.get("host"):
        hosts = place["host"].split(",")
        ports = _ports(place.get("port", ""), len(hosts))
        return [
            _url(parts, f"{user}{at}", [*kept, ("host", host), *([("port", port)] if port else [])])
            for host, port in zip(hosts, ports, strict=True)
        ]
    if "port" in place:
        kept.append(("port", place["port"]))
    return [_url(parts, f"{user}{at}{address}", kept) for address in addresses.split(",")]


def _ports(text: str, count: int) -> list[str]:
    ports = text.split(",")
    if len(ports) == 1:
        return ports * count
    if len(ports) != count:
        raise ValueError("it must name one port, or as many ports as hosts")
    return ports


def _url(parts: SplitResult, address: str, query: list[tuple[str, str]]) -> str:
    text = urlencode(query, safe="/", quote_via=quote)
    return f"{parts.scheme}://{address}{parts.path}{'?' if text else ''}{text}"
