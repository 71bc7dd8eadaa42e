"""An account to be made or changed by others than its owner, and what stands against it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from midrise.foundation.errors import AppError, Fault, Forbidden
from midrise.foundation.security.password_strength import check_strength
from midrise.modules.identity.roles.model import ADMINISTRATOR
from midrise.modules.identity.users.model import (
    Locale,
    NewUser,
    User,
    email_key,
    registration_faults,
)


class OwnAccount(Forbidden):
    """One's own e-mail address and password change where the present password is asked for: with
    `PATCH /v1/me` and `POST /v1/auth/password/change`, so that a stolen token is not enough."""

    code = "own_account"
    title = "This is your own account"
    detail = "Change your own e-mail address and password where the present password is asked for"

    def __init__(self) -> None:
        AppError.__init__(self)


class AccountAction(StrEnum):
    """What the audit says of accounts, besides what it says of users."""

    PASSWORD_SET = "user:password:set"  # noqa: S105  the name of an action
    DELETED = "user:deleted"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made; ``roles`` None means what everybody gets who registers."""

    user: NewUser
    roles: tuple[str, ...] | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """What is to be changed; None leaves a field as it is. The password is not hashed yet."""

    name: str | None = None
    locale: Locale | None = None
    email: str | None = None
    is_active: bool | None = None
    password: str | None = field(default=None, repr=False)


def administers(user: User) -> bool:
    """Whether it is one of those of whom one must be left."""
    return user.is_active and ADMINISTRATOR in user.roles


def changed(user: User, changes: AccountChanges) -> User:
    """The user with the changes. Another address has not been verified."""
    email = user.email if changes.email is None else changes.email
    is_same_address = email_key(email) == email_key(user.email)
    return replace(
        user,
        name=user.name if changes.name is None else changes.name,
        locale=user.locale if changes.locale is None else changes.locale,
        email=email,
        email_verified=user.email_verified and is_same_address,
        is_active=user.is_active if changes.is_active is None else changes.is_active,
    )


def described(user: User) -> dict[str, object]:
    """What the audit compares."""
    return {"name": user.name, "locale": user.locale, "email": user.email, "is_active": user.is_active}


def password_faults(password: str, user: User) -> Iterable[Fault]:
    """What is wrong with a password for this user."""
    return check_strength(password, email=user.email, name=user.name)


def change_faults(email: str | None, password: str | None, *, name: str) -> list[Fault]:
    """What is wrong with changes as far as it can be told without the account; None leaves a field out."""
    return registration_faults(email, password, name=name)
