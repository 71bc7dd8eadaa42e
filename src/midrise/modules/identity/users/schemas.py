"""Users over HTTP."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, UnsetType

from midrise.foundation.errors import Fault, FaultCode, Invalid
from midrise.foundation.text import ONE_LINE, ONE_LINE_IN_WORDS
from midrise.modules.identity.emails.model import NewAddress, new_address_faults
from midrise.modules.identity.second_factors.schemas import Otp
from midrise.modules.identity.users.model import (
    LONGEST_EMAIL,
    LONGEST_NAME,
    Locale,
    NewUser,
    User,
    UserChanges,
    registration_faults,
)

# The pattern is for the document alone: `registration_faults` knows the rule, and has words for it.
Email = Annotated[
    str,
    Meta(
        min_length=3,
        max_length=LONGEST_EMAIL,
        description="An e-mail address; compared without regard to case",
        examples=["rahima@example.com"],
        extra_json_schema={"pattern": r"^[^@\s\x00-\x1f\x7f-\x9f]{1,64}@[^@\s\x00-\x1f\x7f-\x9f]{1,189}$"},
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=ONE_LINE,
        description="How the person is called: one line, without spaces around it",
        examples=["Rahima Khatun"],
        extra={"expected": ONE_LINE_IN_WORDS},
    ),
]
# The rule is 12 to 128 characters after NFC, which the service checks; the bound here keeps giants away.
Password = Annotated[
    str,
    Meta(
        max_length=1024,
        description="12 to 128 characters of any kind, none too common; counted after Unicode NFC",
        examples=["three green boats at dawn"],
    ),
]


class Registration(msgspec.Struct, forbid_unknown_fields=True):
    """An account to be made."""

    email: Email
    password: Password
    name: Name

    @staticmethod
    def further_faults(value: Mapping[str, Any]) -> Iterable[Fault]:
        """What the service would find wrong as well."""
        texts = {
            name: value[name] for name in ("email", "password", "name") if isinstance(value.get(name), str)
        }
        return registration_faults(texts.get("email"), texts.get("password"), name=texts.get("name", ""))

    def to_new_user(self) -> NewUser:
        return NewUser(email=self.email, name=self.name, password=self.password)


class ProfileChanges(msgspec.Struct, forbid_unknown_fields=True):
    """What the caller changes of itself; what is left out stays."""

    name: Name | UnsetType = UNSET
    locale: Annotated[Locale, Meta(description="The language of mails", examples=["bn"])] | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    password: (
        Annotated[
            str,
            Meta(
                max_length=1024,
                description="The present one, which another address needs",
                examples=["three green boats at dawn"],
            ),
        ]
        | UnsetType
    ) = UNSET
    otp: Otp | UnsetType = UNSET

    @staticmethod
    def further_faults(value: Mapping[str, Any]) -> Iterable[Fault]:
        """An address needs the password, and the form of one; a password is there for an address alone."""
        email = value.get("email")
        if email is None and not _PROOFS.isdisjoint(value):
            return (_without_address(),)
        return new_address_faults(email, has_password="password" in value) if isinstance(email, str) else ()

    def to_new_address(self) -> NewAddress | None:
        """The address to change to. Raises `Invalid` for what proves who is there, without one."""
        if self.email is UNSET:
            if self.password is not UNSET or self.otp is not UNSET:
                # Whoever sends a password alone would believe that it is now theirs.
                raise Invalid([_without_address()])
            return None
        password = None if self.password is UNSET else self.password
        return NewAddress(self.email, password, None if self.otp is UNSET else self.otp)

    def to_changes(self) -> UserChanges:
        return UserChanges(
            name=None if self.name is UNSET else self.name,
            locale=None if self.locale is UNSET else self.locale,
        )


_PROOFS = frozenset({"password", "otp"})


def _without_address() -> Fault:
    return Fault(FaultCode.MISSING, pointer="/email")


class RoleAssignment(msgspec.Struct, forbid_unknown_fields=True):
    """The roles that a user shall have: these, and no others."""

    roles: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=64)]],
        Meta(max_length=100, description="Names of roles", examples=[["manager"]]),
    ]


class UserShown(msgspec.Struct):
    """An account."""

    id: UUID
    email: Annotated[str, Meta(examples=["rahima@example.com"])]
    name: Annotated[str, Meta(examples=["Rahima Khatun"])]
    locale: Locale
    roles: Annotated[list[str], Meta(examples=[["customer"]])]
    is_active: bool
    email_verified: bool
    created_at: datetime
    updated_at: datetime


class PermissionsShown(msgspec.Struct):
    """What the caller may do."""

    permissions: Annotated[list[str], Meta(examples=[["products:read", "products:write"]])]


def user_shown(user: User) -> UserShown:
    return UserShown(
        id=user.id,
        email=user.email,
        name=user.name,
        locale=user.locale,
        roles=list(user.roles),
        is_active=user.is_active,
        email_verified=user.email_verified,
        created_at=user.created_at,
        updated_at=user.updated_at,
    )
