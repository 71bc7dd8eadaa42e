"""Accounts over HTTP, as those who look after them make and change them."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from midrise.foundation.errors import Fault
from midrise.modules.identity.accounts.model import AccountChanges, NewAccount, change_faults
from midrise.modules.identity.users.model import Locale, NewUser
from midrise.modules.identity.users.schemas import Email, Name, Password

Language = Annotated[Locale, Meta(description="The language of mails", examples=["bn"])]
Active = Annotated[bool, Meta(description="Whether the person may log in; false ends every session at once")]
RoleNames = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=64)]],
    Meta(max_length=100, description="Needs `roles:assign`; `customer` if left out", examples=[["manager"]]),
]


class NewAccountBody(msgspec.Struct, forbid_unknown_fields=True):
    """An account to be made for somebody."""

    email: Email
    password: Password
    name: Name
    locale: Language = Locale.EN
    roles: RoleNames | UnsetType = UNSET
    is_active: Active = True

    @staticmethod
    def further_faults(value: Mapping[str, Any]) -> Iterable[Fault]:
        """What the service would find wrong as well."""
        return _faults(value)

    def to_new_account(self) -> NewAccount:
        return NewAccount(
            NewUser(email=self.email, name=self.name, password=self.password, locale=self.locale),
            roles=None if self.roles is UNSET else tuple(self.roles),
            is_active=self.is_active,
        )


class AccountChangesBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is changed of somebody's account; what is left out stays."""

    name: Name | UnsetType = UNSET
    locale: Language | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    is_active: Active | UnsetType = UNSET
    password: Password | UnsetType = UNSET

    @staticmethod
    def further_faults(value: Mapping[str, Any]) -> Iterable[Fault]:
        """What the service would find wrong as well."""
        return _faults(value)

    def to_changes(self) -> AccountChanges:
        return AccountChanges(
            name=None if self.name is UNSET else self.name,
            locale=None if self.locale is UNSET else self.locale,
            email=None if self.email is UNSET else self.email,
            is_active=None if self.is_active is UNSET else self.is_active,
            password=None if self.password is UNSET else self.password,
        )


def _faults(value: Mapping[str, Any]) -> Iterable[Fault]:
    texts = {name: value[name] for name in ("email", "password", "name") if isinstance(value.get(name), str)}
    return change_faults(texts.get("email"), texts.get("password"), name=texts.get("name", ""))
