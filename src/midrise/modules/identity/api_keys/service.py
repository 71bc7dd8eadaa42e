"""What people do with their API keys, and who is behind one."""

import asyncio
import time
from contextvars import Context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.admission import ApiKeyState, Caller, program
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import AppError, Fault, FaultCode, Invalid, NotFound, Unauthenticated
from midrise.foundation.ids import new_id
from midrise.foundation.paging import Page, PageRequest
from midrise.foundation.security.api_keys import ApiKeyClaims, ApiKeyTexts
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.api_keys.model import (
    MOST_KEYS,
    ApiKey,
    ApiKeyAction,
    IssuedApiKey,
    NewApiKey,
    TooManyApiKeys,
)
from midrise.modules.identity.api_keys.repository import PostgresApiKeys
from midrise.modules.identity.credentials.service import StepUp
from midrise.modules.identity.roles.service import Roles
from midrise.modules.identity.users.model import user_generation
from midrise.modules.identity.users.repository import PostgresUsers

_USE_PAUSE = timedelta(minutes=30)
"""How often a use is written, by each process and in the table: together less than an hour behind."""
_MOST_NOTED = 10_000
_WRITES_AT_ONCE = 2
_KEPT_AFTER_EXPIRY = timedelta(days=30)
_RFC3339 = "a time of RFC 3339 such as 2026-11-23T04:05:06Z"

log = structlog.get_logger()


class ApiKeys:
    """Makes, shows and ends the keys of a person."""

    def __init__(
        self,
        *,
        database: Database,
        keys: PostgresApiKeys,
        texts: ApiKeyTexts,
        users: PostgresUsers,
        roles: Roles,
        step_up: StepUp,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._keys = keys
        self._texts = texts
        self._users = users
        self._roles = roles
        self._step_up = step_up
        self._audit = audit

    async def list_keys(self, page: PageRequest, *, actor: Actor) -> Page[ApiKey]:
        """The actor's keys, the latest first."""
        async with self._database.read() as unit:
            return await self._keys.list_keys(unit, actor.known_user_id(), page)

    async def create(self, new: NewApiKey, *, actor: Actor) -> IssuedApiKey:
        """Make a key for the actor.

        Raises `Invalid`, `Forbidden` for a permission that the actor lacks, `TooManyApiKeys`, and
        `ReauthenticationRequired` where the log-in was too long ago: a stolen session must not outlive itself.
        """
        if not await self._database.was_done(actor.attempt, IssuedApiKey):
            await self._step_up.require_fresh(actor)
        new = self._checked(new, actor=actor)
        key = ApiKey(
            id=new_id(),
            name=new.name,
            permissions=new.permissions,
            created_at=clock.now(),
            last_used_at=None,
            expires_at=new.expires_at,
        )
        text, claims = self._texts.issue(key.id, actor.known_user_id())

        async def create(tx: WriteUnit) -> IssuedApiKey:
            # The account is held: a key that is made while it is disabled ends with it.
            user = await self._users.find_and_lock(tx, claims.user_id)
            if user is None or not user.is_active:
                raise Unauthenticated
            if await self._keys.count(tx, user.id) >= MOST_KEYS:
                raise TooManyApiKeys
            await self._keys.add(tx, key, user_id=user.id, digest=claims.digest)
            tx.mark(user_generation(user.id))
            await self._audit.record(
                tx,
                actor,
                action=ApiKeyAction.CREATED,
                resource=key.resource,
                changes={"permissions": list(key.permissions)},
            )
            return IssuedApiKey(key, text)

        return await self._database.write_once(actor.attempt, IssuedApiKey, create)

    async def end(self, api_key_id: UUID, *, actor: Actor) -> None:
        """End a key of the actor's, at once and on every instance. Raises `NotFound`."""
        user_id = actor.known_user_id()

        async def end(tx: WriteUnit) -> None:
            if not await self._keys.end_one(tx, user_id, api_key_id=api_key_id):
                raise NotFound("API key")
            tx.mark(user_generation(user_id))
            await self._audit.record(tx, actor, action=ApiKeyAction.ENDED, resource=f"api_key:{api_key_id}")

        await self._database.write_once(actor.attempt, type(None), end)

    async def end_keys_of(self, tx: WriteUnit, user_id: UUID, *, actor: Actor) -> None:
        """End every key of a person, whose account is locked, when ``tx`` commits."""
        tx.mark(user_generation(user_id))
        ended = await self._keys.end_all(tx, user_id)
        if ended:
            await self._audit.record(
                tx,
                actor,
                action=ApiKeyAction.ALL_ENDED,
                resource=f"user:{user_id}",
                changes={"api_keys": ended},
            )

    async def purge_expired(self) -> None:
        """Forget keys that expired a month ago."""
        async with self._database.write() as tx:
            await self._keys.purge(tx, expired_before=clock.now() - _KEPT_AFTER_EXPIRY)

    def _checked(self, new: NewApiKey, *, actor: Actor) -> NewApiKey:
        """The key as it is to be stored. Raises `Invalid` and `Forbidden`."""
        expires_at, fault = _in_utc(new.expires_at)
        faults = [*self._roles.undeclared(new.permissions), *([fault] if fault else [])]
        if faults:
            raise Invalid(faults)
        permissions = tuple(sorted(set(new.permissions)))
        for permission in permissions:
            actor.require(permission)
        return replace(new, permissions=permissions, expires_at=expires_at)


class ApiKeyCallers:
    """Says who is behind a key, and notes now and then that it is used."""

    def __init__(self, *, database: Database, keys: PostgresApiKeys, texts: ApiKeyTexts, roles: Roles) -> None:
        self._database = database
        self._keys = keys
        self._texts = texts
        self._roles = roles
        self._noted: dict[UUID, float] = {}
        self._writing: set[asyncio.Task[None]] = set()
        self._writes = asyncio.Semaphore(_WRITES_AT_ONCE)

    def read(self, text: str) -> ApiKeyClaims:
        """What a text says that was made here. Raises `Unauthenticated`."""
        return self._texts.read(text)

    async def find_caller(self, claims: ApiKeyClaims) -> Caller | None:
        """Who is behind the key; None where it has ended or its owner may no longer log in."""
        async with self._database.read() as unit:
            state = await self._keys.get_state(unit, api_key_id=claims.api_key_id, user_id=claims.user_id)
            if not state.lets_in(claims):
                return None
            return program(claims, state, await self._roles.permissions_of(unit, state.roles))

    async def get_state(self, api_key_id: UUID, user_id: UUID) -> ApiKeyState:
        """The key as the primary knows it."""
        async with self._database.read() as unit:
            return await self._keys.get_state(unit, api_key_id=api_key_id, user_id=user_id)

    def note_use(self, api_key_id: UUID) -> None:
        """Have it written that the key is used, beside the request, if it wasn't in the last half hour."""
        now = time.monotonic()
        noted = self._noted.get(api_key_id)
        if noted is not None and now - noted < _USE_PAUSE.total_seconds():
            return
        if len(self._noted) >= _MOST_NOTED:
            self._noted.clear()
        self._noted[api_key_id] = now
        # In a context of its own: the request, whose consistency this is nothing of, doesn't wait for it.
        task = asyncio.get_running_loop().create_task(self._write_use(api_key_id), context=Context())
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._writing)

    async def _write_use(self, api_key_id: UUID) -> None:
        try:
            async with self._writes, self._database.write() as tx:
                await self._keys.note_use(tx, api_key_id, pause=_USE_PAUSE)
        except AppError:
            self._noted.pop(api_key_id, None)
            log.warning("api_key.use_not_noted", api_key=str(api_key_id))


def _in_utc(expires_at: datetime | None) -> tuple[datetime | None, Fault | None]:
    """The time in UTC, or what is wrong with it."""
    pointer = "/expires_at"
    try:
        utc = expires_at.astimezone(UTC) if expires_at else None
    except OverflowError:
        return None, Fault(FaultCode.WRONG_FORMAT, pointer=pointer, arguments={"expected": _RFC3339})
    if utc is not None and utc <= clock.now():
        return None, Fault(FaultCode.IN_THE_PAST, pointer=pointer)
    return utc, None
