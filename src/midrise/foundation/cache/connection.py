"""Connections to the cache, made by redis-py: one server by socket, TCP or TLS, or the primary by sentinels."""

from collections.abc import Awaitable
from typing import Any, Protocol, cast

from redis.asyncio import Sentinel
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
from midrise.foundation.cache.shared_connection import RedisConnection


class ConnectionSource:
    """Makes connections to the server, or to whichever the sentinels call the primary."""

    def __init__(self, pool: ConnectionPool, *clients: "_Closable") -> None:
        self._pool = pool
        self._clients = clients

    def make_connection(self) -> RedisConnection:
        """A new connection, not opened yet."""
        # redis-py leaves this method without annotations.
        return cast("RedisConnection", self._pool.make_connection())  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


def open_source(settings: CacheSettings) -> ConnectionSource:
    """Where connections come from; nothing is connected to before one is opened."""
    if settings.endpoint.service_name is None:
        pool = _to_server(settings)
        return ConnectionSource(pool, pool)
    return _to_primary(settings)


class _Closable(Protocol):
    def aclose(self) -> Awaitable[None]: ...


def _to_server(settings: CacheSettings) -> ConnectionPool:
    endpoint = settings.endpoint
    options = _options(settings)
    if endpoint.socket_path is not None:
        options |= {"connection_class": UnixDomainSocketConnection, "path": endpoint.socket_path}
    else:
        host, port = endpoint.addresses[0]
        options |= {"connection_class": Connection, "host": host, "port": port}
    if endpoint.tls:
        options |= {"connection_class": SSLConnection, **_tls_options(settings)}
    return ConnectionPool(**options)


def _to_primary(settings: CacheSettings) -> ConnectionSource:
    endpoint = settings.endpoint
    tls = {"ssl": True, **_tls_options(settings)} if endpoint.tls else {}
    sentinel_options = _shared_options(settings) | {
        "username": endpoint.sentinel_username,
        "password": endpoint.sentinel_password,
    }
    # redis-py leaves this constructor without annotations.
    sentinels = Sentinel(endpoint.addresses, sentinel_kwargs=sentinel_options | tls)  # type: ignore[no-untyped-call]
    primary = sentinels.master_for(endpoint.service_name or "", **_options(settings), **tls)
    return ConnectionSource(primary.connection_pool, primary, sentinels)


def _options(settings: CacheSettings) -> dict[str, Any]:
    endpoint = settings.endpoint
    return _shared_options(settings) | {
        "db": endpoint.database,
        "username": endpoint.username,
        "password": endpoint.password,
    }


def _shared_options(settings: CacheSettings) -> dict[str, Any]:
    return {
        # The protocol knows no name with a space.
        "client_name": settings.process.replace(" ", "-"),
        # RESP2: redis-py asks a RESP3 server for notifications that cost a round trip and that we don't use.
        "protocol": 2,
        "driver_info": None,
        "socket_connect_timeout": settings.connect_budget_seconds,
        # The client bounds the whole call, so a timer for each read would be a second one.
        "socket_timeout": None,
        "retry": Retry(NoBackoff(), 0, supported_errors=(RedisConnectionError,)),
    }


def _tls_options(settings: CacheSettings) -> dict[str, Any]:
    return {"ssl_ca_certs": settings.endpoint.ca_file, "ssl_cert_reqs": "required", "ssl_check_hostname": True}
