"""What can be done with accounts by those who look after them, and how an account ends."""

from dataclasses import replace
from uuid import UUID

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import Invalid
from midrise.foundation.security.passwords import BcryptPasswords
from midrise.foundation.versions import Expected
from midrise.modules.audit import AuditTrail, changes_between
from midrise.modules.identity.accounts.model import (
    AccountAction,
    AccountChanges,
    NewAccount,
    OwnAccount,
    administers,
    change_faults,
    changed,
    described,
    password_faults,
)
from midrise.modules.identity.accounts.repository import PostgresAccounts
from midrise.modules.identity.api_keys.service import ApiKeys
from midrise.modules.identity.devices.service import Devices
from midrise.modules.identity.emails.service import Emails
from midrise.modules.identity.roles.model import CUSTOMER
from midrise.modules.identity.roles.service import Roles
from midrise.modules.identity.users.model import User, UserAction, user_generation
from midrise.modules.identity.users.service import Users, check_registration, new_user

ASSIGN_ROLES = "roles:assign"


class Accounts:
    """Makes, changes and deletes accounts. Nobody gets at somebody who may do more than they."""

    def __init__(
        self,
        *,
        database: Database,
        accounts: PostgresAccounts,
        users: Users,
        roles: Roles,
        devices: Devices,
        api_keys: ApiKeys,
        passwords: BcryptPasswords,
        emails: Emails,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._users = users
        self._roles = roles
        self._devices = devices
        self._api_keys = api_keys
        self._passwords = passwords
        self._emails = emails
        self._audit = audit

    async def create(self, new: NewAccount, *, actor: Actor) -> User:
        """Make an account for somebody.

        Raises `Invalid`, `EmailTaken`, and `Forbidden` where roles are given by who may not assign them, or
        that allow what the actor itself may not do.
        """
        check_registration(new.user)
        if new.roles is not None:
            actor.require(ASSIGN_ROLES)
        names = (CUSTOMER,) if new.roles is None else tuple(sorted(set(new.roles)))
        password_hash = await self._passwords.hash(new.user.password)
        user = replace(new_user(new.user, roles=names), is_active=new.is_active)

        async def create(tx: WriteUnit) -> User:
            if new.roles is not None:
                await self._roles.require_known(tx, new.roles)
                await self._roles.require_held(tx, names, actor=actor)
            await self._users.add(tx, user, password_hash=password_hash, action=UserAction.CREATED, actor=actor)
            await self._emails.request_verification(tx, user)
            return user

        return await self._database.write_once(actor.attempt, User, create)

    async def change(self, user_id: UUID, changes: AccountChanges, *, actor: Actor, expected: Expected) -> User:
        """Change somebody's account; disabling it and setting a password end its sessions and API keys at once.

        Raises `NotFound`, `Invalid`, `Forbidden` where the user may do more than the actor, `OwnAccount`,
        `EmailTaken`, `LastAdministrator` and `PreconditionFailed`.
        """
        password_hash = await self._check(user_id, changes)

        async def change(tx: WriteUnit) -> User:
            before = await self._users.lock(tx, user_id)
            await self._require_authority(tx, before, actor=actor)
            expected.check(str(before.version), current=str(before.version))
            after = changed(before, changes)
            takes_over = password_hash is not None or after.email != before.email
            if takes_over and user_id == actor.user_id:
                raise OwnAccount
            if after != before:
                after = replace(after, updated_at=clock.now())
                await self._save(tx, before, after, actor=actor)
                after = replace(after, version=before.version + 1)
            if password_hash is not None:
                await self._set_password(tx, after, password_hash, actor=actor)
            return after

        return await self._database.write_once(actor.attempt, User, change)

    async def remove(self, user_id: UUID, *, actor: Actor, expected: Expected) -> None:
        """Delete an account: its sessions end, what is stored of the person goes, and the audit keeps an id
        without a name.

        Raises `NotFound`, `Forbidden` where the user may do more than the actor, `LastAdministrator` and
        `PreconditionFailed`.
        """

        async def remove(tx: WriteUnit) -> None:
            user = await self._users.lock(tx, user_id)
            await self._require_authority(tx, user, actor=actor)
            await self._remove(tx, user, actor=actor, expected=expected)

        await self._database.write_once(actor.attempt, type(None), remove)

    async def remove_own(self, *, actor: Actor, expected: Expected) -> None:
        """Delete the actor's account, likewise. Raises `LastAdministrator` and `PreconditionFailed`."""

        async def remove(tx: WriteUnit) -> None:
            user = await self._users.lock_own(tx, actor=actor)
            await self._remove(tx, user, actor=actor, expected=expected)

        await self._database.write_once(actor.attempt, type(None), remove)

    async def _remove(self, tx: WriteUnit, user: User, *, actor: Actor, expected: Expected) -> None:
        expected.check(str(user.version), current=str(user.version))
        if administers(user):
            await self._users.require_other_administrator(tx, user.id)
        await self._accounts.remove(tx, user.id)
        tx.mark(user_generation(user.id))
        await self._audit.record(tx, actor, action=AccountAction.DELETED, resource=user.resource)
        await self._audit.erase_person(tx, user.id, resource=user.resource)

    async def _check(self, user_id: UUID, changes: AccountChanges) -> str | None:
        """The hash of a new password, made before the transaction, which must not wait for it."""
        faults = change_faults(changes.email, None, name="")
        if changes.password is not None:
            faults += password_faults(changes.password, changed(await self._users.get(user_id), changes))
        if faults:
            raise Invalid(faults)
        return None if changes.password is None else await self._passwords.hash(changes.password)

    async def _require_authority(self, tx: WriteUnit, user: User, *, actor: Actor) -> None:
        """Nobody disables, deletes or takes over an account that may do what they may not: nor does a program
        its owner's."""
        if user.id != actor.user_id or actor.api_key_id is not None:
            await self._roles.require_held(tx, user.roles, actor=actor)

    async def _save(self, tx: WriteUnit, before: User, after: User, *, actor: Actor) -> None:
        if administers(before) and not administers(after):
            await self._users.require_other_administrator(tx, after.id)
        await self._accounts.save(tx, after)
        tx.mark(user_generation(after.id))
        if before.is_active and not after.is_active:
            await self._devices.end_sessions_of(tx, after.id)
            await self._api_keys.end_keys_of(tx, after.id, actor=actor)
        if after.email != before.email:
            await self._emails.follow_change(tx, before, after)
        await self._audit.record(
            tx,
            actor,
            action=UserAction.CHANGED,
            resource=after.resource,
            changes=changes_between(described(before), described(after)),
        )

    async def _set_password(self, tx: WriteUnit, user: User, password_hash: str, *, actor: Actor) -> None:
        await self._accounts.set_password(tx, user.id, password_hash=password_hash)
        await self._emails.take_back_tokens(tx, user.id)
        await self._devices.end_sessions_of(tx, user.id)
        await self._api_keys.end_keys_of(tx, user.id, actor=actor)
        await self._audit.record(tx, actor, action=AccountAction.PASSWORD_SET, resource=user.resource)
