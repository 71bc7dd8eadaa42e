"""Mails over SMTP, by aiosmtplib."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib

from midrise.foundation.mail.mail import Mail, MailRefused
from midrise.foundation.mail.message import message_of, wire_address

_FORMS = "smtps://user:password@host:465, smtp://user:password@host:587 or smtp://host:25?tls=none"
_TIMEOUT_SECONDS = 20.0
"""Less than a worker that is to end waits for its jobs."""
_PERMANENT = 500
"""Answers from here on mean that trying again is in vain (RFC 5321, section 4.2.1)."""


class SmtpUrlRefused(ValueError):
    """The URL of the mail server can't be used; the text says why, without the password."""


class SmtpTls(StrEnum):
    """When the connection is encrypted."""

    AT_ONCE = "at once"
    STARTTLS = "starttls"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class SmtpEndpoint:
    """A mail server.

    ``smtps://user:password@host:465``   TLS from the first byte
    ``smtp://user:password@host:587``    STARTTLS, without which nothing is said
    ``smtp://host:25?tls=none``          no TLS, for a relay beside us; no password is sent so

    The host's name and certificate are checked, against the authorities in ``?ca_file=/path`` if given.
    """

    host: str
    port: int
    tls: SmtpTls
    ca_file: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises `SmtpUrlRefused`."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise SmtpUrlRefused(f"it must be a URL such as {_FORMS}") from None
        if parts.scheme not in {"smtp", "smtps"} or not host or parts.path not in {"", "/"}:
            raise SmtpUrlRefused(f"it must be a URL such as {_FORMS}")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        tls = _tls_of(parts.scheme, options.pop("tls", None))
        ca_file = options.pop("ca_file", None)
        if options:
            raise SmtpUrlRefused(f"it has options that there are not; it must be a URL such as {_FORMS}")
        if tls is SmtpTls.NEVER and parts.username:
            raise SmtpUrlRefused("it has a password that would be sent without TLS: leave out tls=none")
        usual_port = {SmtpTls.AT_ONCE: 465, SmtpTls.STARTTLS: 587, SmtpTls.NEVER: 25}[tls]
        return cls(
            host=host,
            port=port or usual_port,
            tls=tls,
            ca_file=ca_file,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
        )


class SmtpMailer:
    """Hands mails to an SMTP server, each over a connection of its own."""

    def __init__(self, endpoint: SmtpEndpoint, *, sender: str) -> None:
        self._endpoint = endpoint
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        """Raises `MailRefused` for an address that the server will never take, else what came between.

        No error carries the address: errors are logged.
        """
        endpoint = self._endpoint
        message = message_of(mail, sender=self._sender)
        try:
            await aiosmtplib.send(
                message,
                sender=wire_address(self._sender),
                recipients=[wire_address(mail.recipient)],
                hostname=endpoint.host,
                port=endpoint.port,
                username=endpoint.username,
                password=endpoint.password,
                use_tls=endpoint.tls is SmtpTls.AT_ONCE,
                start_tls=endpoint.tls is SmtpTls.STARTTLS,
                cert_bundle=endpoint.ca_file,
                timeout=_TIMEOUT_SECONDS,
            )
        except (aiosmtplib.SMTPException, OSError) as trouble:
            raise _told(trouble, mail.recipient) from None


class SmtpTrouble(Exception):
    """The mail server could not be reached, or said no for now; the text says which, without any address."""


def _told(trouble: Exception, recipient: str) -> Exception:
    if isinstance(trouble, aiosmtplib.SMTPNotSupported) and not wire_address(recipient).isascii():
        return MailRefused("the mail server takes no address of that script (SMTPUTF8)")
    if isinstance(trouble, aiosmtplib.SMTPRecipientsRefused):
        code = trouble.recipients[0].code
        if code >= _PERMANENT:
            return MailRefused(f"the mail server refused the address ({code})")
        return SmtpTrouble(f"the mail server refused the address for now ({code})")
    if isinstance(trouble, aiosmtplib.SMTPDataError) and trouble.code >= _PERMANENT:
        return MailRefused(f"the mail server refused the mail ({trouble.code})")
    code_text = f" ({trouble.code})" if isinstance(trouble, aiosmtplib.SMTPResponseException) else ""
    return SmtpTrouble(f"the mail server can't be used: {type(trouble).__name__}{code_text}")


def _tls_of(scheme: str, option: str | None) -> SmtpTls:
    if option is None:
        return SmtpTls.AT_ONCE if scheme == "smtps" else SmtpTls.STARTTLS
    if scheme == "smtp" and option == "none":
        return SmtpTls.NEVER
    raise SmtpUrlRefused(f"it asks for another tls than none; it must be a URL such as {_FORMS}")
