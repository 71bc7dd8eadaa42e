"""Where the cache is: a URL, read once, and refused in one sentence where it makes no sense."""

import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_FORMS = (
    "unix:///path, redis://host:6379/0, rediss://host:6379/0 or redis+sentinel://one:26379,two:26379/name/0"
)
_SCHEMES = frozenset({"unix", "redis", "rediss", "redis+sentinel", "rediss+sentinel"})
_OPTIONS = frozenset({"db", "ca_file", "sentinel_username", "sentinel_password"})
_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[^\[\]:,@/]+))(?::(?P<port>\d{1,5}))?")
_REDIS_PORT = 6379
_SENTINEL_PORT = 26379


class CacheUrlRefused(ValueError):
    """The URL of the cache can't be used; the text says why, without the password."""


@dataclass(frozen=True, slots=True)
class CacheEndpoint:
    """A cache server, or the sentinels that know which server is the primary.

    ``unix:///run/valkey.sock?db=0``
    ``redis://user:password@host:6379/0``
    ``rediss://host:6379/0?ca_file=/etc/ssl/cache.pem``   TLS; the host's name and certificate are checked
    ``redis+sentinel://:password@one:26379,two:26379/name/0?sentinel_password=…``   also ``rediss+sentinel``

    What stands before the ``@`` is for the server; sentinels have credentials of their own.
    """

    addresses: tuple[tuple[str, int], ...] = ()
    socket_path: str | None = None
    service_name: str | None = None
    database: int = 0
    tls: bool = False
    ca_file: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises `CacheUrlRefused`."""
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise CacheUrlRefused(f"The cache's URL can't be read; it must be of the form {_FORMS}.") from error
        if parts.scheme not in _SCHEMES:
            raise CacheUrlRefused(f"The cache's URL must be of the form {_FORMS}.")
        options = _options(parts)
        credentials, _, hosts = parts.netloc.rpartition("@")
        username, _, password = credentials.partition(":")
        segments = [unquote(segment) for segment in parts.path.split("/")[1:]]
        is_unix, is_sentinel = parts.scheme == "unix", parts.scheme.endswith("+sentinel")
        if is_sentinel and not (segments and segments[0]):
            raise CacheUrlRefused("The cache's URL names sentinels, but no service behind the hosts: …/name/0.")
        database = "" if is_unix else "/".join(segments[1:] if is_sentinel else segments)
        return cls(
            addresses=() if is_unix else _addresses(hosts, is_sentinel=is_sentinel),
            socket_path=_socket_path(parts) if is_unix else None,
            service_name=segments[0] if is_sentinel else None,
            database=_database(options.get("db", database)),
            tls=parts.scheme.startswith("rediss"),
            ca_file=options.get("ca_file"),
            username=unquote(username) or None,
            password=unquote(password) or None,
            sentinel_username=options.get("sentinel_username"),
            sentinel_password=options.get("sentinel_password"),
        )

    def __str__(self) -> str:
        """Where it is, without credentials, for logs."""
        place = self.socket_path or ",".join(f"{host}:{port}" for host, port in self.addresses)
        return f"{place}/{self.service_name}" if self.service_name else place


def _options(parts: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise CacheUrlRefused(
            f"The cache's URL has the unknown option {unknown[0]}; known are {', '.join(sorted(_OPTIONS))}."
        )
    return options


def _addresses(hosts: str, *, is_sentinel: bool) -> tuple[tuple[str, int], ...]:
    texts = hosts.split(",") if is_sentinel else [hosts]
    matches = [_ADDRESS.fullmatch(text) for text in texts]
    found = [
        (match["v6"] or unquote(match["name"]), int(match["port"] or _default_port(is_sentinel=is_sentinel)))
        for match in matches
        if match is not None
    ]
    if len(found) < len(texts) or any(port > 65535 for _, port in found):
        raise CacheUrlRefused("The cache's URL has a host or port that can't be read; hosts are name:port.")
    return tuple(found)


def _default_port(*, is_sentinel: bool) -> int:
    return _SENTINEL_PORT if is_sentinel else _REDIS_PORT


def _socket_path(parts: SplitResult) -> str:
    host = parts.netloc.rpartition("@")[2]
    if host or parts.path in {"", "/"}:
        raise CacheUrlRefused("The cache's URL names a socket by its whole path: unix:///run/valkey.sock.")
    return unquote(parts.path)


def _database(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit()):
        raise CacheUrlRefused("The cache's URL ends in a database that is not a number.")
    return int(text)
