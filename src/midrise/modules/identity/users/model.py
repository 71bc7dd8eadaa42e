"""A user, what may be changed of it, and the rules that need no database."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from midrise.foundation.errors import AppError, Conflict, Fault, FaultCode, Forbidden
from midrise.foundation.ids import text_of
from midrise.foundation.security.password_strength import check_strength
from midrise.foundation.text import sort_key

LONGEST_EMAIL = 254
"""RFC 5321, section 4.5.3.1.3: a path of 256 octets less its brackets."""

LONGEST_NAME = 200

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f-\x9f]{1,64}@[^@\s\x00-\x1f\x7f-\x9f]{1,189}")


class EmailTaken(Conflict):
    """Another account has this e-mail address."""

    code = "email_taken"
    title = "The e-mail address is taken"
    detail = "Another account has this e-mail address"


class LastAdministrator(Conflict):
    """Nobody could administer the service any more: give the role to somebody else first."""

    code = "last_administrator"
    title = "This is the last administrator"
    detail = "The last active administrator can't be removed or demoted"


class RegistrationClosed(Forbidden):
    """New accounts are made by an administrator only."""

    code = "registration_closed"
    title = "Registration is closed"
    detail = "New accounts are made by an administrator only"

    def __init__(self) -> None:
        AppError.__init__(self)


def user_generation(user_id: UUID | str) -> str:
    """The generation of what shows or depends on this account: its profile, its sessions, its roles."""
    return f"user:{text_of(user_id) if isinstance(user_id, UUID) else user_id}"


class UserAction(StrEnum):
    """What the audit says of users."""

    REGISTERED = "user:registered"
    CREATED = "user:created"
    CHANGED = "user:changed"
    ROLES_ASSIGNED = "user:roles:assigned"


class Locale(StrEnum):
    """The languages that ship."""

    EN = "en"
    BN = "bn"


@dataclass(frozen=True, slots=True)
class User:
    """An account as the rest of the program sees it: without its password."""

    id: UUID
    email: str
    name: str
    locale: Locale
    is_active: bool
    email_verified: bool
    version: int
    created_at: datetime
    updated_at: datetime
    roles: tuple[str, ...]

    @property
    def resource(self) -> str:
        """Its name in the audit."""
        return f"user:{self.id}"


@dataclass(frozen=True, slots=True)
class NewUser:
    """An account to be made; the password is not hashed yet."""

    email: str
    name: str
    password: str = field(repr=False)
    locale: Locale = Locale.EN


@dataclass(frozen=True, slots=True)
class UserChanges:
    """What is to be changed; None leaves a field as it is."""

    name: str | None = None
    locale: Locale | None = None


@dataclass(frozen=True, slots=True)
class UserFilter:
    """What to list; None lists whatever there is. ``text`` is part of a name or an address."""

    email: str | None = None
    role: str | None = None
    is_active: bool | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a log-in is checked against."""

    user_id: UUID
    password_hash: str = field(repr=False)
    is_active: bool
    has_second_factor: bool = False
    """Whether one was on when they were looked up."""


def email_key(email: str) -> str:
    """What addresses are compared by."""
    return sort_key(email)


def is_email(text: str) -> bool:
    """Whether the text has the form of an address. Whether mail arrives there, only a mail can tell.

    What it is compared by has that form as well: NFKC can make an @ or a space of another character, and
    eighteen characters of one (U+FDFA), while an index holds 2,700 bytes of a row.
    """
    return _has_form(text) and _has_form(email_key(text))


def registration_faults(email: str | None, password: str | None, *, name: str) -> list[Fault]:
    """What is wrong with an account to be made; None leaves a field out of it."""
    faults: list[Fault] = []
    if email is not None and not is_email(email):
        faults.append(
            Fault(FaultCode.WRONG_FORMAT, pointer="/email", arguments={"expected": "an e-mail address"})
        )
    if password is not None:
        # What is far too long (and refused for that) is not compared: folding it takes quadratic time.
        known_email = email if email is not None and len(email) <= LONGEST_EMAIL else ""
        known_name = name if len(name) <= LONGEST_NAME else ""
        faults += check_strength(password, email=known_email, name=known_name)
    return faults


def _has_form(text: str) -> bool:
    return len(text) <= LONGEST_EMAIL and _EMAIL.fullmatch(text) is not None
