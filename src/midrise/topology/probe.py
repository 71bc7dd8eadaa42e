"""Asks a server over HTTP whether it is ready, with nothing but a socket."""

import asyncio
import contextlib
import errno
import socket
import ssl
from pathlib import Path

from midrise.topology.errors import Refused

LIMIT_S = 1
REQUEST = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def answers_on_socket(path: Path, target: str) -> bool:
    """Whether a server on a Unix socket answers a GET with 200."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            connection = await asyncio.open_unix_connection(str(path))
            return b" 200 " in await _status_line(*connection, target=target)
    return False


async def speaks_http(host: str, port: int, *, tls: bool) -> bool:
    """Whether a server on a port of this machine answers a GET, with whatever status."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            context = _any_certificate() if tls else None
            connection = await asyncio.open_connection(reachable(host), port, ssl=context)
            return (await _status_line(*connection, target="/livez")).startswith(b"HTTP/")
    return False


async def connects(host: str, port: int, *, limit_s: float) -> bool:
    """Whether anything takes connections there."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(limit_s):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return True
    return False


def refuse_taken_port(host: str, port: int) -> None:
    """Raise Refused, in one sentence, unless a server can listen here now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except socket.gaierror as trouble:
        raise Refused(f"MIDRISE_HOST {host} is not an address of this machine ({trouble.strerror})") from None
    except PermissionError:
        raise Refused(f"Only root may listen on port {port}: set MIDRISE_PORT to one above 1023") from None
    except OSError as trouble:
        if trouble.errno == errno.EADDRNOTAVAIL:
            raise Refused(
                f"MIDRISE_HOST {host} is not an address of this machine: set it to one that is, "
                "127.0.0.1 for this machine alone or 0.0.0.0 for all its addresses"
            ) from None
        raise Refused(
            f"The gateway can't listen on {host}:{port} ({trouble.strerror}): set MIDRISE_PORT to another port"
        ) from None


def reachable(host: str) -> str:
    """An address at which this machine reaches a server that listens on every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104  compared, not bound


async def _status_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, target: str) -> bytes:
    try:
        writer.write(REQUEST % target.encode())
        return await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _any_certificate() -> ssl.SSLContext:
    """For asking our own gateway on this machine, whose certificate is for its public name."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
