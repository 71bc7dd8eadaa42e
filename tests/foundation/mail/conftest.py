"""Mail servers that listen on this machine, with TLS or without."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from midrise.foundation import clock


@dataclass
class MailServer:
    """Takes mails, or answers as it is told to."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    answer_to_recipient: str = "250 OK"
    answer_to_data: str = "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Envelope, address: str, options: Any
    ) -> str:
        if self.answer_to_recipient.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.answer_to_recipient

    async def handle_DATA(self, server, session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        return self.answer_to_data

    def authenticate(self, server, session, envelope, mechanism, login) -> AuthResult:
        assert isinstance(login, LoginPassword)
        self.logins.append((login.login, login.password))
        return AuthResult(success=True)

    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(envelope.content, policy=SMTPUTF8) for envelope in self.envelopes]


@pytest.fixture
async def start_server(anyio_backend: object) -> AsyncIterator[Callable[..., Any]]:
    """Starts a mail server: ``await start_server(certificate=…, implicit_tls=…, **options of SMTP)``."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:

        async def start(
            *, certificate: Path | None = None, implicit_tls: bool = False, **options: Any
        ) -> MailServer:
            server = MailServer()
            context = _context(certificate) if certificate else None

            def protocol() -> SMTP:
                starttls = None if implicit_tls else context
                return SMTP(server, hostname="mail.test", loop=loop, tls_context=starttls, **options)

            listening = await loop.create_server(
                protocol, "127.0.0.1", 0, ssl=context if implicit_tls else None
            )
            stack.push_async_callback(_close, listening)
            server.port = listening.sockets[0].getsockname()[1]
            return server

        yield start


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of 127.0.0.1 that vouches for itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("mail") / "mail.pem"
    pem, form, plain = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(key.private_bytes(pem, form, plain) + certificate.public_bytes(pem))
    return path


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def _close(server: asyncio.Server) -> None:
    server.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.wait_closed(), 1)
