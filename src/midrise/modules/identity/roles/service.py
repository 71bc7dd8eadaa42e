"""What can be done with roles."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, ReadUnit, WriteUnit
from midrise.foundation.errors import Fault, FaultCode, Invalid, NotFound
from midrise.foundation.module import Permission
from midrise.foundation.paging import Page, PageRequest
from midrise.foundation.versions import Expected
from midrise.modules.audit import AuditTrail, changes_between
from midrise.modules.identity.roles.model import (
    ADMINISTRATOR,
    ROLES_GENERATION,
    NewRole,
    Role,
    RoleAction,
    RoleBuiltIn,
    RoleChanges,
    effective_permissions,
)
from midrise.modules.identity.roles.repository import PostgresRoles


class Roles:
    """Makes, changes and removes roles, and says what they allow."""

    def __init__(
        self,
        *,
        database: Database,
        roles: PostgresRoles,
        audit: AuditTrail,
        permissions: Iterable[Permission],
    ) -> None:
        self._database = database
        self._roles = roles
        self._audit = audit
        self.permissions: Sequence[Permission] = sorted(permissions, key=lambda permission: permission.name)
        self._declared = frozenset(permission.name for permission in self.permissions)

    async def list_roles(self, page: PageRequest) -> Page[Role]:
        """Roles by name."""
        async with self._database.read(may_lag=True) as unit:
            return (await self._roles.list_roles(unit, page)).map(self._as_effective)

    async def get(self, name: str) -> Role:
        """Raises `NotFound`."""
        async with self._database.read() as unit:
            role = await self._roles.find(unit, name)
        if role is None:
            raise NotFound("role")
        return self._as_effective(role)

    async def create(self, new: NewRole, *, actor: Actor) -> Role:
        """Raises `Invalid`, `RoleTaken`, and `Forbidden` for a permission that the actor lacks."""
        self._require_declared(new.permissions)
        _require_held(actor, new.permissions)
        now = clock.now()
        role = Role(
            name=new.name,
            description=new.description,
            built_in=False,
            version=1,
            created_at=now,
            updated_at=now,
            permissions=tuple(sorted(set(new.permissions))),
        )

        async def create(tx: WriteUnit) -> Role:
            await self._roles.add(tx, role)
            tx.mark(ROLES_GENERATION)
            await self._audit.record(
                tx, actor, action=RoleAction.CREATED, resource=role.resource, changes=_described(role)
            )
            return role

        return await self._database.write_once(actor.attempt, Role, create)

    async def change(self, name: str, changes: RoleChanges, *, actor: Actor, expected: Expected) -> Role:
        """In force for everyone who has the role from the next request on.

        Raises `NotFound`, `Invalid`, `Forbidden`, `RoleBuiltIn` and `PreconditionFailed`.
        """

        async def change(tx: WriteUnit) -> Role:
            before = await self._lock(tx, name)
            expected.check(str(before.version), current=str(before.version))
            after = self._changed(before, changes, actor=actor)
            if after == before:
                return before
            await self._roles.save(tx, after)
            tx.mark(ROLES_GENERATION)
            await self._audit.record(
                tx,
                actor,
                action=RoleAction.CHANGED,
                resource=after.resource,
                changes=changes_between(_described(before), _described(after)),
            )
            return replace(after, version=before.version + 1)

        return self._as_effective(await self._database.write_once(actor.attempt, Role, change))

    async def remove(self, name: str, *, actor: Actor, expected: Expected) -> None:
        """Raises `NotFound`, `RoleBuiltIn`, `RoleInUse`, `Forbidden` and `PreconditionFailed`."""

        async def remove(tx: WriteUnit) -> None:
            role = await self._lock(tx, name)
            expected.check(str(role.version), current=str(role.version))
            if role.built_in:
                raise RoleBuiltIn
            _require_held(actor, self._as_effective(role).permissions)
            await self._roles.remove(tx, name)
            tx.mark(ROLES_GENERATION)
            await self._audit.record(
                tx, actor, action=RoleAction.DELETED, resource=role.resource, changes=_described(role)
            )

        await self._database.write_once(actor.attempt, type(None), remove)

    async def stored_permissions(self, unit: ReadUnit) -> dict[str, list[str]]:
        """What is stored of every role, by its name."""
        return await self._roles.stored_permissions(unit)

    async def permissions_of(self, unit: ReadUnit, names: Sequence[str]) -> frozenset[str]:
        """What the roles allow together."""
        granted = await self._roles.granted(unit, names)
        return self.effective(names, granted)

    def effective(self, names: Iterable[str], granted: Iterable[str]) -> frozenset[str]:
        """What roles of these names with these stored permissions allow."""
        return effective_permissions(names, granted, self._declared)

    async def require_known(self, tx: WriteUnit, names: Sequence[str]) -> None:
        """Raises `Invalid` for names that are no roles; the others stay until the transaction ends."""
        known = await self._roles.known_names(tx, names)
        _refuse(_unknown(names, known=known, pointer="/roles"))

    async def require_held(self, unit: ReadUnit, names: Sequence[str], *, actor: Actor) -> None:
        """Raises `Forbidden` where the roles allow what the actor may not do: nobody gives or takes that."""
        _require_held(actor, await self.permissions_of(unit, names))

    def _changed(self, role: Role, changes: RoleChanges, *, actor: Actor) -> Role:
        description = role.description if changes.description is None else changes.description
        changed = replace(role, description=description)
        if changes.permissions is not None:
            if role.name == ADMINISTRATOR:
                raise RoleBuiltIn
            self._require_declared(changes.permissions)
            # What is taken from others must be held as well: else a limited role could disarm a greater one.
            _require_held(actor, set(changes.permissions) ^ set(self._as_effective(role).permissions))
            changed = replace(changed, permissions=tuple(sorted(set(changes.permissions))))
        return role if changed == role else replace(changed, updated_at=clock.now())

    def _as_effective(self, role: Role) -> Role:
        return replace(role, permissions=tuple(sorted(self.effective((role.name,), role.permissions))))

    def undeclared(self, permissions: Sequence[str]) -> Sequence[Fault]:
        """A fault for each of the permissions that no module declares."""
        return _unknown(permissions, known=self._declared, pointer="/permissions")

    def _require_declared(self, permissions: Sequence[str]) -> None:
        _refuse(self.undeclared(permissions))

    async def _lock(self, tx: WriteUnit, name: str) -> Role:
        role = await self._roles.find_and_lock(tx, name)
        if role is None:
            raise NotFound("role")
        return role


def _unknown(names: Sequence[str], *, known: frozenset[str], pointer: str) -> Sequence[Fault]:
    return [
        Fault(FaultCode.UNKNOWN_REFERENCE, pointer=f"{pointer}/{index}", arguments={"value": name})
        for index, name in enumerate(names)
        if name not in known
    ]


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise Invalid(faults)


def _require_held(actor: Actor, permissions: Iterable[str]) -> None:
    for permission in sorted(permissions):
        actor.require(permission)


def _described(role: Role) -> dict[str, object]:
    return {"description": role.description, "permissions": list(role.permissions)}
