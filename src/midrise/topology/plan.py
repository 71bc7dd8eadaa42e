"""What is to be raised, on which machine's terms: the topology knows of the settings only what stands here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """One topology.

    ``environment`` is what the API servers, the worker and the jobs inherit; addresses of embedded servers are
    added to it. An outside server, given by its URL, takes the place of the embedded one.
    """

    home: Path
    host: str
    port: int
    instances: int
    replicas: int
    environment: Mapping[str, str] = field(repr=False)
    admin_email: str
    admin_password: str | None = field(repr=False)
    database_url: str | None = field(default=None, repr=False)
    replica_urls: tuple[str, ...] = field(default=(), repr=False)
    redis_url: str | None = field(default=None, repr=False)
    has_master_secret: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()

    @property
    def embeds_database(self) -> bool:
        return self.database_url is None

    @property
    def embedded_replicas(self) -> int:
        return self.replicas if self.embeds_database and not self.replica_urls else 0

    @property
    def embeds_cache(self) -> bool:
        return self.redis_url is None

    @property
    def address(self) -> str:
        """Where a person on this machine reaches the gateway."""
        scheme = "https" if self.tls_certificate else "http"
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  compared, not bound
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"
