"""Connections by TLS and by sentinels, to real servers."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from midrise.foundation import clock
from midrise.foundation.cache.client import CacheUnavailable, ValkeyCache
from midrise.foundation.cache.endpoint import CacheEndpoint
from midrise.foundation.cache.settings import CacheSettings

pytestmark = pytest.mark.anyio


@contextlib.asynccontextmanager
async def open_cache(url: str) -> AsyncIterator[ValkeyCache]:
    settings = CacheSettings(
        CacheEndpoint.parse(url),
        process="test.1",
        connect_budget_seconds=5,
        call_budget_seconds=5,
        rest_seconds=0,
    )
    cache = ValkeyCache(settings)
    try:
        yield cache
    finally:
        await cache.close()


def make_certificate(folder: Path, address: str) -> Path:
    """A file with a self-signed certificate for the address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cache")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False)  # noqa: FBT003  the library takes it by position
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{address}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextlib.asynccontextmanager
async def tls_in_front_of(port: int, certificate: Path) -> AsyncIterator[int]:
    """Ends TLS before a plain server, for the embedded Valkey is built without it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, upstream_writer), pump(upstream_reader, writer))

    server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def test_tls_with_the_right_certificate_works(start_valkey, tmp_path):
    certificate = make_certificate(tmp_path, "127.0.0.1")
    async with (
        tls_in_front_of(start_valkey().port, certificate) as port,
        open_cache(f"rediss://127.0.0.1:{port}?ca_file={certificate}") as cache,
    ):
        assert await cache.execute("ECHO", "secret") == b"secret"


async def test_tls_to_a_stranger_is_refused(start_valkey, tmp_path):
    certificate = make_certificate(tmp_path, "127.0.0.1")
    async with (
        tls_in_front_of(start_valkey().port, certificate) as port,
        open_cache(f"rediss://127.0.0.1:{port}") as cache,
    ):
        with pytest.raises(CacheUnavailable):
            await cache.ping()


async def test_tls_to_another_host_of_the_same_authority_is_refused(start_valkey, tmp_path):
    certificate = make_certificate(tmp_path, "127.0.0.2")
    async with (
        tls_in_front_of(start_valkey().port, certificate) as port,
        open_cache(f"rediss://127.0.0.1:{port}?ca_file={certificate}") as cache,
    ):
        with pytest.raises(CacheUnavailable):
            await cache.ping()


SENTINEL = """
sentinel monitor main 127.0.0.1 {port} 1
sentinel auth-pass main hunter2
sentinel down-after-milliseconds main 200
sentinel failover-timeout main 1000
requirepass hunter3
"""


async def call_until_answered(cache: ValkeyCache, *command: str) -> object:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(CacheUnavailable):
                return await cache.execute(*command)


async def test_sentinels_lead_to_the_primary_also_after_it_died(start_valkey):
    passwords = ("--requirepass", "hunter2", "--masterauth", "hunter2")
    primary = start_valkey(*passwords, "--repl-diskless-sync-delay", "0")
    replica = start_valkey(*passwords, "--replicaof", f"127.0.0.1 {primary.port}")
    sentinel = start_valkey(sentinel_config=SENTINEL.format(port=primary.port))
    url = f"redis+sentinel://:hunter2@127.0.0.1:{sentinel.port}/main/0?sentinel_password=hunter3"
    async with open_cache(url) as cache:
        await call_until_answered(cache, "SET", "a", "1")
        assert await cache.execute("CONFIG", "GET", "port") == [b"port", str(primary.port).encode()]
        await until_sentinel_knows_replica(sentinel.port)
        primary.kill()
        await call_until_answered(cache, "SET", "a", "2")
        assert await cache.execute("CONFIG", "GET", "port") == [b"port", str(replica.port).encode()]


async def until_sentinel_knows_replica(port: int) -> None:
    async with open_cache(f"redis://:hunter3@127.0.0.1:{port}") as sentinel, asyncio.timeout(60):
        while not await sentinel.execute("SENTINEL", "REPLICAS", "main"):  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.05)


async def test_a_service_that_sentinels_do_not_know_is_unavailable(start_valkey):
    primary = start_valkey()
    sentinel = start_valkey(sentinel_config=SENTINEL.format(port=primary.port))
    async with open_cache(
        f"redis+sentinel://127.0.0.1:{sentinel.port}/other?sentinel_password=hunter3"
    ) as cache:
        with pytest.raises(CacheUnavailable):
            await cache.ping()
