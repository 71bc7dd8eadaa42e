"""What can be done with users."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, ReadUnit, WriteUnit
from midrise.foundation.errors import Invalid, NotFound, Unauthenticated
from midrise.foundation.ids import new_id
from midrise.foundation.module import ConfigKey
from midrise.foundation.paging import Page, PageRequest
from midrise.foundation.security.passwords import BcryptPasswords
from midrise.foundation.versions import Expected
from midrise.modules.audit import AuditTrail, changes_between
from midrise.modules.config import Configuration
from midrise.modules.identity.emails.model import NewAddress
from midrise.modules.identity.emails.service import Emails
from midrise.modules.identity.roles.model import ADMINISTRATOR, CUSTOMER
from midrise.modules.identity.roles.service import Roles
from midrise.modules.identity.users.model import (
    LastAdministrator,
    NewUser,
    RegistrationClosed,
    User,
    UserAction,
    UserChanges,
    UserFilter,
    registration_faults,
    user_generation,
)
from midrise.modules.identity.users.repository import PostgresUsers

REGISTRATION_OPEN = ConfigKey(
    "registration.open", default=True, description="Whether anyone may make an account", public=True
)


class Users:
    """Registers people, shows and changes their profiles, and gives them their roles."""

    def __init__(
        self,
        *,
        database: Database,
        users: PostgresUsers,
        roles: Roles,
        passwords: BcryptPasswords,
        emails: Emails,
        configuration: Configuration,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._users = users
        self._roles = roles
        self._passwords = passwords
        self._emails = emails
        self._configuration = configuration
        self._audit = audit

    async def register(self, new: NewUser, *, actor: Actor) -> User:
        """Make an account for whoever asks. Raises `Invalid`, `EmailTaken` and `RegistrationClosed`."""
        check_registration(new)
        async with self._database.read() as unit:
            if not await self._configuration.get_value(unit, REGISTRATION_OPEN):
                raise RegistrationClosed
        return await self._create(new, roles=(CUSTOMER,), actor=actor, action=UserAction.REGISTERED)

    async def create_administrator(self, new: NewUser, *, actor: Actor) -> User:
        """Make an account that may do everything. Raises `Invalid` and `EmailTaken`."""
        check_registration(new)
        return await self._create(new, roles=(ADMINISTRATOR,), actor=actor, action=UserAction.CREATED)

    async def has_administrator(self) -> bool:
        """Whether anyone active administers the service."""
        async with self._database.read() as unit:
            return await self._users.count_other_administrators(unit, UUID(int=0)) > 0

    async def get(self, user_id: UUID) -> User:
        """Raises `NotFound`."""
        async with self._database.read() as unit:
            return await self._get(unit, user_id)

    async def get_own(self, *, actor: Actor) -> User:
        """The actor's account. Raises `Unauthenticated` where it was deleted a moment ago."""
        try:
            return await self.get(actor.known_user_id())
        except NotFound:
            raise Unauthenticated from None

    async def list_users(self, wanted: UserFilter, page: PageRequest) -> Page[User]:
        """Users, newest first."""
        async with self._database.read(may_lag=True) as unit:
            return await self._users.list_users(unit, wanted, page)

    async def change_profile(
        self, changes: UserChanges, *, address: NewAddress | None = None, actor: Actor, expected: Expected
    ) -> User:
        """Change the actor's name and locale, and have another address verified, which counts from then on.

        Raises `PreconditionFailed`, and what `Emails.prove` and `Emails.request_change` raise.
        """
        proved = await self._emails.prove(address, actor=actor) if address else None

        async def change(tx: WriteUnit) -> User:
            before = await self.lock_own(tx, actor=actor)
            expected.check(str(before.version), current=str(before.version))
            if address and proved:
                await self._emails.request_change(tx, before, wanted=address, proved=proved, actor=actor)
            after = _changed(before, changes)
            if after == before:
                return before
            await self._users.save(tx, after)
            tx.mark(user_generation(after.id))
            await self._record_change(tx, before, after, actor=actor)
            return replace(after, version=before.version + 1)

        return await self._database.write_once(actor.attempt, User, change)

    async def assign_roles(
        self, user_id: UUID, names: Iterable[str], *, actor: Actor, expected: Expected
    ) -> User:
        """Give the user these roles and no others, from the very next request on.

        Raises `NotFound`, `Invalid` for a role that doesn't exist, `Forbidden` where a role allows what the
        actor itself may not do, `LastAdministrator` and `PreconditionFailed`.
        """
        named = tuple(names)
        wanted = tuple(sorted(set(named)))

        async def assign(tx: WriteUnit) -> User:
            before = await self.lock(tx, user_id)
            expected.check(str(before.version), current=str(before.version))
            if wanted == before.roles:
                return before
            await self._roles.require_known(tx, named)
            await self._roles.require_held(tx, tuple(set(wanted) ^ set(before.roles)), actor=actor)
            if ADMINISTRATOR in before.roles and ADMINISTRATOR not in wanted:
                await self.require_other_administrator(tx, user_id)
            after = replace(before, roles=wanted, updated_at=clock.now())
            await self._users.assign_roles(tx, after)
            tx.mark(user_generation(user_id))
            await self._audit.record(
                tx,
                actor,
                action=UserAction.ROLES_ASSIGNED,
                resource=after.resource,
                changes={"roles": {"from": list(before.roles), "to": list(wanted)}},
            )
            return replace(after, version=before.version + 1)

        return await self._database.write_once(actor.attempt, User, assign)

    async def add(
        self, tx: WriteUnit, user: User, *, password_hash: str, action: UserAction, actor: Actor
    ) -> None:
        """Keep a new user, and say so in the audit. Raises `EmailTaken`."""
        await self._users.add(tx, user, password_hash=password_hash)
        is_own = action is UserAction.REGISTERED and actor.user_id is None
        by = actor.as_user(user.id) if is_own else actor
        await self._audit.record(
            tx, by, action=action, resource=user.resource, changes={"roles": list(user.roles)}
        )

    async def _create(self, new: NewUser, *, roles: tuple[str, ...], actor: Actor, action: UserAction) -> User:
        password_hash = await self._passwords.hash(new.password)
        user = new_user(new, roles=roles)

        async def create(tx: WriteUnit) -> User:
            await self.add(tx, user, password_hash=password_hash, action=action, actor=actor)
            if action is UserAction.REGISTERED:
                await self._emails.request_verification(tx, user)
            return user

        return await self._database.write_once(actor.attempt, User, create)

    async def _get(self, unit: ReadUnit, user_id: UUID) -> User:
        user = await self._users.find(unit, user_id)
        if user is None:
            raise NotFound("user")
        return user

    async def lock(self, tx: WriteUnit, user_id: UUID) -> User:
        """The user, whom nobody else changes until the transaction ends. Raises `NotFound`."""
        user = await self._users.find_and_lock(tx, user_id)
        if user is None:
            raise NotFound("user")
        return user

    async def _record_change(self, tx: WriteUnit, before: User, after: User, *, actor: Actor) -> None:
        changes = changes_between(
            {"name": before.name, "locale": before.locale}, {"name": after.name, "locale": after.locale}
        )
        await self._audit.record(tx, actor, action=UserAction.CHANGED, resource=after.resource, changes=changes)

    async def lock_own(self, tx: WriteUnit, *, actor: Actor) -> User:
        """The actor's account, likewise. Raises `Unauthenticated` where it was deleted a moment ago."""
        try:
            return await self.lock(tx, actor.known_user_id())
        except NotFound:
            raise Unauthenticated from None

    async def require_other_administrator(self, tx: WriteUnit, user_id: UUID) -> None:
        """Raises `LastAdministrator` where nobody active but this user administers, until ``tx`` ends."""
        # Two who demote each other at once: the second one waits, and counts what the first one left.
        await self._users.lock_administration(tx)
        if await self._users.count_other_administrators(tx, user_id) == 0:
            raise LastAdministrator


def check_registration(new: NewUser) -> None:
    """Raises `Invalid` naming every field that is wrong."""
    faults = registration_faults(new.email, new.password, name=new.name)
    if faults:
        raise Invalid(faults)


def new_user(new: NewUser, *, roles: tuple[str, ...]) -> User:
    """The account as it begins."""
    now = clock.now()
    return User(
        id=new_id(),
        email=new.email,
        name=new.name,
        locale=new.locale,
        is_active=True,
        email_verified=False,
        version=1,
        created_at=now,
        updated_at=now,
        roles=roles,
    )


def _changed(user: User, changes: UserChanges) -> User:
    changed = replace(
        user,
        name=user.name if changes.name is None else changes.name,
        locale=user.locale if changes.locale is None else changes.locale,
    )
    return user if changed == user else replace(changed, updated_at=clock.now())
