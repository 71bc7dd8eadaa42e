"""Connections to the cache, made by redis-py: one server by socket, TCP or TLS, or the primary by sentinels."""

from collections.abc import Awaitable
from typing import Any, Protocol

from redis.asyncio import Redis, Sentinel
from redis.asyncio.connection import (
    Connection,
    ConnectionPool,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from midrise.foundation.cache.settings import CacheSettings


class CacheConnections(Protocol):
    """What the client needs of redis-py."""

    def execute_command(self, *command: bytes | str | float) -> Awaitable[Any]: ...

    async def aclose(self) -> None: ...


def open_connections(settings: CacheSettings) -> tuple[CacheConnections, ...]:
    """The client for commands, and behind it whatever else is to be closed. Connects when first used."""
    if settings.endpoint.service_name is None:
        return (_to_server(settings),)
    return _to_primary(settings)


def _to_server(settings: CacheSettings) -> Redis:
    endpoint = settings.endpoint
    options = _options(settings)
    if endpoint.socket_path is not None:
        options |= {"connection_class": UnixDomainSocketConnection, "path": endpoint.socket_path}
    else:
        host, port = endpoint.addresses[0]
        options |= {"connection_class": Connection, "host": host, "port": port}
    if endpoint.tls:
        options |= {"connection_class": SSLConnection, **_tls_options(settings)}
    pool = ConnectionPool(max_connections=settings.most_connections, **options)
    return Redis.from_pool(pool)


def _to_primary(settings: CacheSettings) -> tuple[CacheConnections, ...]:
    endpoint = settings.endpoint
    tls = {"ssl": True, **_tls_options(settings)} if endpoint.tls else {}
    sentinel_options = _shared_options(settings) | {
        "username": endpoint.sentinel_username,
        "password": endpoint.sentinel_password,
    }
    # redis-py leaves this constructor without annotations.
    sentinels = Sentinel(endpoint.addresses, sentinel_kwargs=sentinel_options | tls)  # type: ignore[no-untyped-call]
    primary = sentinels.master_for(
        endpoint.service_name or "", max_connections=settings.most_connections, **_options(settings), **tls
    )
    return primary, sentinels


def _options(settings: CacheSettings) -> dict[str, Any]:
    endpoint = settings.endpoint
    return _shared_options(settings) | {
        "db": endpoint.database,
        "username": endpoint.username,
        "password": endpoint.password,
    }


def _shared_options(settings: CacheSettings) -> dict[str, Any]:
    return {
        "client_name": settings.process,
        # RESP2: redis-py asks a RESP3 server for notifications that cost a round trip and that we don't use.
        "protocol": 2,
        "driver_info": None,
        "socket_connect_timeout": settings.connect_budget_seconds,
        # The client bounds the whole call, so a timer for each read would be a second one.
        "socket_timeout": None,
        # A connection that the server closed while it was idle is opened again, once; nothing else is repeated.
        "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    }


def _tls_options(settings: CacheSettings) -> dict[str, Any]:
    return {"ssl_ca_certs": settings.endpoint.ca_file, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
