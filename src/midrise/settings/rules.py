"""What the value of a setting must be, where its type and range don't say it.

Raises `ValueError` with the reason, which never repeats a secret. The rules that the parts themselves go by are
imported where they are needed: they are slow to read, and most settings are left out.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from pydantic import SecretStr

LEVELS = ("debug", "info", "warning", "error")
LONGEST_EMAIL = 254
NAME_OF_ADMINISTRATOR = "Administrator"
"""As `midrise admin create` calls who gets no other name."""

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f-\x9f]{1,64}@[^@\s\x00-\x1f\x7f-\x9f]{1,189}")
_POSTGRES_SCHEMES = {"postgres", "postgresql"}


def email_address(text: str) -> str:
    if len(text) > LONGEST_EMAIL or _EMAIL.fullmatch(text) is None:
        raise ValueError("it must be an e-mail address")
    return text


def administrator_password(password: SecretStr, *, email: str) -> SecretStr:
    """Held against the same rule as every new password."""
    from midrise.foundation.localization import Language, fault_text
    from midrise.foundation.security.password_strength import check_strength

    faults = check_strength(password.get_secret_value(), email=email, name=NAME_OF_ADMINISTRATOR)
    if faults:
        raise ValueError("it " + "; ".join(fault_text(fault, Language.ENGLISH) for fault in faults))
    return password


def master_secret(secret: SecretStr) -> SecretStr:
    from midrise.foundation.security.secrets import MasterSecret

    MasterSecret.from_text(secret.get_secret_value())
    return secret


def database_url(url: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(url.get_secret_value())
        is_one = parts.scheme in _POSTGRES_SCHEMES and bool(parts.netloc or parts.query)
    except ValueError:
        is_one = False
    if not is_one:
        raise ValueError("it must be a URL such as postgresql://user:password@host:5432/name")
    return url


def redis_url(url: SecretStr) -> SecretStr:
    from midrise.foundation.cache.endpoint import CacheEndpoint

    CacheEndpoint.parse(url.get_secret_value())
    return url


def smtp_url(url: SecretStr) -> SecretStr:
    from midrise.foundation.mail.smtp import SmtpEndpoint

    SmtpEndpoint.parse(url.get_secret_value())
    return url


def public_url(url: str) -> str:
    """Links are made by writing behind it, so it has no `/` at its end."""
    if not _is_web_address(url):
        raise ValueError("it must be a URL such as https://shop.example")
    return url.rstrip("/")


def rate_limit(text: str) -> str:
    from midrise.foundation.admission.limits import RateLimit

    RateLimit.parse(text)
    return text


def log_level(text: str) -> str:
    if text.lower() not in LEVELS:
        raise ValueError("it must be debug, info, warning or error")
    return text.lower()


def is_origin(text: str) -> bool:
    """Whether a browser may send this as `Origin`."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    is_spelt_so = f"{parts.scheme}://{parts.netloc.lower()}" == text
    return parts.scheme in {"http", "https"} and bool(parts.netloc) and "@" not in text and is_spelt_so


def is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_bare = not (parts.query or parts.fragment or "@" in parts.netloc)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_bare
    except ValueError:
        return False
