"""What can be done with sessions."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from uuid import UUID

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.admission import Caller, RoleGrants, SessionState
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import Unauthenticated
from midrise.foundation.ids import new_id
from midrise.foundation.security.refresh_tokens import RefreshTokens
from midrise.foundation.security.tokens import AccessTokens
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.credentials.model import OtpRequired, RightPassword
from midrise.modules.identity.credentials.service import CodeChecks, PasswordChecks
from midrise.modules.identity.log_in_attempts.model import Guess
from midrise.modules.identity.roles.model import ROLES_GENERATION
from midrise.modules.identity.roles.service import Roles
from midrise.modules.identity.sessions.model import (
    IDLE_LIFETIME,
    InvalidCredentials,
    Renewal,
    Session,
    SessionAction,
    TokenReused,
    Tokens,
    next_expiry,
    renewal_of,
)
from midrise.modules.identity.sessions.repository import PostgresSessions
from midrise.modules.identity.signing_keys.service import SigningKeys
from midrise.modules.identity.users.model import user_generation
from midrise.modules.identity.users.repository import PostgresUsers

_KEPT_AFTER_EXPIRY = timedelta(days=7)
_PURGED_AT_ONCE = 5000
_MOST_VERIFICATIONS = 2
_NONCE_BYTES = 16


class _SpentToken(Exception):
    """A refresh token of this session was spent too long ago."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session


class Sessions:
    """Logs people in and out, renews their tokens, and says who is behind a session."""

    def __init__(
        self,
        *,
        database: Database,
        sessions: PostgresSessions,
        users: PostgresUsers,
        roles: Roles,
        passwords: PasswordChecks,
        codes: CodeChecks,
        access_tokens: AccessTokens,
        refresh_tokens: RefreshTokens,
        signing_keys: SigningKeys,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._sessions = sessions
        self._users = users
        self._roles = roles
        self._passwords = passwords
        self._codes = codes
        self._access_tokens = access_tokens
        self._refresh_tokens = refresh_tokens
        self._signing_keys = signing_keys
        self._audit = audit

    async def log_in(self, email: str, password: str, *, code: str | None = None, actor: Actor) -> Tokens:
        """Start a session; ``code`` is what a second factor or a recovery code says.

        Raises `InvalidCredentials`, the same for every reason and after the same time, `OtpRequired` and
        `InvalidOtp` where the password alone was right, and `TooManyAttempts`.
        """
        for _ in range(_MOST_VERIFICATIONS):
            right = await self._passwords.check(email, password, actor=actor)
            guess = await self._count_code(right, code)
            session = _new_session(right.credentials.user_id, actor)
            if await self._start(session, right, code=code, guess=guess, actor=actor):
                break
            # A new password, or the end of the account, came while the old one was verified.
        else:
            raise InvalidCredentials
        if right.needs_rehash:
            await self._passwords.rehash(right, password)
        return self._tokens(session)

    async def refresh(self, refresh_token: str, *, actor: Actor) -> Tokens:
        """Exchange a refresh token for new tokens.

        Raises `Unauthenticated` for a wrong token or an ended session, and `TokenReused` for one that was spent
        too long ago; that also ends its session, in a unit of its own, so that the refusal doesn't undo it.
        """
        claims = self._refresh_tokens.parse(refresh_token)

        async def renew(tx: WriteUnit) -> Tokens:
            stored = await self._sessions.find_and_lock(tx, claims.session_id)
            if stored is None or not self._refresh_tokens.matches(claims, stored.session.nonce):
                raise Unauthenticated
            if not stored.is_alive:
                raise Unauthenticated
            await self._signing_keys.follow(tx)
            match renewal_of(stored, claims.generation):
                case Renewal.REPEAT:
                    return self._tokens(stored.session)
                case Renewal.ROTATE:
                    renewed = _renewed(stored.session, actor)
                    await self._sessions.rotate(tx, renewed)
                    return self._tokens(renewed)
            raise _SpentToken(stored.session)

        try:
            return await self._database.write_once(None, Tokens, renew)
        except _SpentToken as spent:
            session = spent.session
        await self._end_reused(session, actor=actor)
        raise TokenReused

    async def log_out(self, *, actor: Actor) -> None:
        """End the caller's session: its tokens stop working at once, on every instance."""
        session_id = actor.session_id
        if session_id is None:
            raise Unauthenticated

        async def end(tx: WriteUnit) -> None:
            if await self._sessions.revoke(tx, session_id):
                tx.mark(user_generation(actor.known_user_id()))
                await self._audit.record(
                    tx, actor, action=SessionAction.ENDED, resource=f"session:{session_id}"
                )

        await self._database.write_once(None, type(None), end)

    async def find_caller(self, session_id: UUID, user_id: UUID, *, kid: str) -> Caller | None:
        """Who is behind the session; None where it has ended, the user may no longer log in, or the key that
        signed for it is no longer in force."""
        async with self._database.read() as unit:
            grants = await self._sessions.find_grants(unit, session_id=session_id, user_id=user_id, kid=kid)
        if grants is None:
            return None
        roles, granted = grants
        return Caller(
            user_id=user_id,
            session_id=session_id,
            roles=roles,
            permissions=self._roles.effective(roles, granted),
        )

    def generations(self, user_id: UUID) -> tuple[str, str]:
        """What is known of a session depends on its user, and on what roles allow."""
        return user_generation(user_id), ROLES_GENERATION

    async def get_state(self, session_id: UUID, user_id: UUID) -> SessionState:
        """The session as the primary knows it; one that has ended, or never was, doesn't stand."""
        async with self._database.read() as unit:
            return await self._sessions.get_state(unit, session_id=session_id, user_id=user_id)

    async def get_grants(self) -> RoleGrants:
        """What is stored of every role."""
        async with self._database.read() as unit:
            return RoleGrants(await self._roles.stored_permissions(unit))

    def effective(self, roles: Iterable[str], grants: Mapping[str, Iterable[str]]) -> frozenset[str]:
        """What somebody with these roles may do."""
        names = tuple(roles)
        return self._roles.effective(names, chain.from_iterable(grants.get(name, ()) for name in names))

    async def purge_expired(self) -> None:
        """Forget sessions that expired a week ago; in small transactions, however many they are."""
        before, purged = clock.now() - _KEPT_AFTER_EXPIRY, _PURGED_AT_ONCE
        while purged == _PURGED_AT_ONCE:
            async with self._database.write() as tx:
                purged = await self._sessions.purge(tx, expired_before=before, limit=_PURGED_AT_ONCE)

    async def _count_code(self, right: RightPassword, code: str | None) -> Guess | None:
        """Count the code's guess where there is a second factor; it uses up none of the password's."""
        if not right.credentials.has_second_factor:
            return None
        async with self._database.write() as tx:
            await self._passwords.succeed(tx, right)
        if code is None:
            raise OtpRequired
        return await self._codes.count(right.credentials.user_id)

    async def _start(
        self, session: Session, right: RightPassword, *, code: str | None, guess: Guess | None, actor: Actor
    ) -> bool:
        """Start the session, unless the credentials have changed since they were verified."""
        if guess is None and await self._start_at_once(session, right, actor=actor):
            return True
        owner = actor.as_user(session.user_id)
        async with self._database.write() as tx:
            if not await self._users.hold_credentials(tx, right.credentials):
                return False
            await self._codes.spend(tx, code, guess=guess, actor=owner)
            if guess is None:
                await self._passwords.succeed(tx, right)
            self._sessions.add(tx, session)
            await self._signing_keys.follow(tx)
            await self._record(tx, session, SessionAction.STARTED, actor=actor)
        return True

    async def _start_at_once(self, session: Session, right: RightPassword, *, actor: Actor) -> bool:
        """Start the session in one statement; False where that needs a second factor, or can't be."""
        async with self._database.write_single() as tx:
            await self._passwords.succeed(tx, right)
            await self._record(tx, session, SessionAction.STARTED, actor=actor)
            kid = await self._sessions.start(tx, session, proved=right.credentials)
        if kid is not None:
            await self._signing_keys.sign_with(kid)
        return kid is not None

    async def _end_reused(self, session: Session, *, actor: Actor) -> None:
        async def end(tx: WriteUnit) -> None:
            if await self._sessions.revoke(tx, session.id):
                tx.mark(user_generation(session.user_id))
                await self._record(tx, session, SessionAction.REUSED, actor=actor)

        await self._database.write_once(None, type(None), end)

    async def _record(self, tx: WriteUnit, session: Session, action: SessionAction, *, actor: Actor) -> None:
        """Write of a session whose user need not be the caller that the request came with."""
        owner = actor.as_user(session.user_id)
        await self._audit.record(tx, owner, action=action, resource=session.resource)

    def _tokens(self, session: Session) -> Tokens:
        remaining = session.expires_at - clock.now()
        return Tokens(
            access_token=self._access_tokens.issue(session.user_id, session.id),
            expires_in=self._access_tokens.lifetime_seconds,
            refresh_token=self._refresh_tokens.issue(session.id, session.generation, nonce=session.nonce),
            refresh_expires_in=max(0, round(remaining.total_seconds())),
        )


def _new_session(user_id: UUID, actor: Actor) -> Session:
    now = clock.now()
    return Session(
        id=new_id(),
        user_id=user_id,
        generation=0,
        nonce=secrets.token_bytes(_NONCE_BYTES),
        user_agent=actor.user_agent,
        address=actor.address,
        created_at=now,
        rotated_at=now,
        expires_at=now + IDLE_LIFETIME,
    )


def _renewed(session: Session, actor: Actor) -> Session:
    return replace(
        session,
        generation=session.generation + 1,
        expires_at=next_expiry(session, clock.now()),
        address=actor.address,
        user_agent=actor.user_agent,
    )
