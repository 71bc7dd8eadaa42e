"""A mail in the form that is sent (RFC 5322)."""

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime

from midrise.foundation import clock
from midrise.foundation.ids import new_id
from midrise.foundation.mail.mail import Mail, MailRefused

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
"""A dot-string of RFC 5321, section 4.1.2, with what RFC 6531 adds; quoted ones exist only on paper."""
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def message_of(mail: Mail, *, sender: str) -> EmailMessage:
    """The mail with its headers. Raises `MailRefused` for a recipient that is no single address."""
    message = EmailMessage(policy=SMTPUTF8)
    message["From"] = _header(sender)
    message["To"] = _header(mail.recipient)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{new_id()}@{wire_address(sender).rpartition('@')[2]}>"
    # Answering machines keep silent (RFC 3834, section 5).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def wire_address(address: str) -> str:
    """The address with its domain in ASCII. Raises `MailRefused` where it is no address as mail knows them.

    What people may register with is wider: a comma or an angle bracket would make two addresses of one.
    """
    local, _, domain = address.rpartition("@")
    try:
        wire_domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        wire_domain = ""
    if not (_LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(wire_domain)):
        raise MailRefused("the address is none that mail can be sent to")
    return f"{local}@{wire_domain}"


def _header(address: str) -> Address:
    local, _, domain = wire_address(address).rpartition("@")
    return Address(username=local, domain=domain)
