"""Checks passwords and codes; each is counted as a guess first, wherever it is asked for."""

from uuid import UUID

import structlog

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import Unauthenticated, Unavailable
from midrise.foundation.security.passwords import BcryptPasswords
from midrise.foundation.security.secrets import MasterSecret
from midrise.foundation.security.totp import find_step, read_one_time_password
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.credentials.model import (
    FRESH,
    InvalidOtp,
    OtpRequired,
    ReauthenticationRequired,
    RightPassword,
    WrongOtp,
    WrongPassword,
)
from midrise.modules.identity.log_in_attempts.model import Guess
from midrise.modules.identity.log_in_attempts.service import LogInAttempts
from midrise.modules.identity.second_factors.model import (
    SecondFactorAction,
    digest_of_recovery_code,
    open_secret,
)
from midrise.modules.identity.second_factors.repository import PostgresSecondFactors
from midrise.modules.identity.sessions.model import InvalidCredentials
from midrise.modules.identity.sessions.repository import PostgresSessions
from midrise.modules.identity.users.model import Credentials
from midrise.modules.identity.users.repository import PostgresUsers

log = structlog.get_logger()


class PasswordChecks:
    """Tells whether a password is right, in the same time whatever is the matter."""

    def __init__(
        self, *, database: Database, users: PostgresUsers, passwords: BcryptPasswords, attempts: LogInAttempts
    ) -> None:
        self._database = database
        self._users = users
        self._passwords = passwords
        self._attempts = attempts

    async def check(self, email: str, password: str, *, actor: Actor) -> RightPassword:
        """Raises `InvalidCredentials`, the same for every reason, and `TooManyAttempts`.

        The guess stays counted until `succeed`, which belongs into the transaction that makes use of it.
        """
        guess = await self._attempts.count_password(email, address=actor.address)
        try:
            credentials, needs_rehash = await self._verify(email, password)
        except Unavailable:
            await self._attempts.give_back(guess)
            raise
        return RightPassword(credentials, needs_rehash, guess)

    async def succeed(self, tx: WriteUnit, right: RightPassword) -> None:
        await self._attempts.succeed(tx, right.guess)

    async def rehash(self, right: RightPassword, password: str) -> None:
        """Hash the password as it would be hashed today. Whoever proved it doesn't depend on that."""
        try:
            stronger_hash = await self._passwords.hash(password)
            async with self._database.write() as tx:
                await self._users.replace_hash(tx, right.credentials, stronger_hash=stronger_hash)
        except Unavailable:
            log.warning("password.not_rehashed", user_id=str(right.credentials.user_id))

    async def _verify(self, email: str, password: str) -> tuple[Credentials, bool]:
        """The credentials that the password fits, and whether it should be hashed anew."""
        async with self._database.read() as unit:
            credentials = await self._users.find_credentials(unit, email)
        if credentials is None:
            await self._passwords.verify_nothing(password)
            raise InvalidCredentials
        verdict = await self._passwords.verify(password, credentials.password_hash)
        if not verdict.matches or not credentials.is_active:
            raise InvalidCredentials
        return credentials, verdict.needs_rehash


class CodeChecks:
    """Tells whether a code of somebody's second factor is right, and sees to it that it counts once."""

    def __init__(
        self,
        *,
        database: Database,
        factors: PostgresSecondFactors,
        attempts: LogInAttempts,
        master: MasterSecret,
        audit: AuditTrail,
    ) -> None:
        self._database = database
        self._factors = factors
        self._attempts = attempts
        self._master = master
        self._audit = audit

    async def is_needed(self, user_id: UUID) -> bool:
        """Whether the user has a second factor that is on."""
        async with self._database.read() as unit:
            factor = await self._factors.find(unit, user_id)
        return factor is not None and factor.is_on

    async def count(self, user_id: UUID) -> Guess:
        """Count the guess that a code is. Raises `TooManyAttempts`."""
        return await self._attempts.count_code(user_id)

    async def succeed(self, tx: WriteUnit, guess: Guess) -> None:
        await self._attempts.succeed(tx, guess)

    async def spend(self, tx: WriteUnit, code: str | None, *, guess: Guess | None, actor: Actor) -> None:
        """Use the code up. Does nothing where the actor has no second factor.

        Raises `OtpRequired` where there is no code that was counted, and `InvalidOtp` for a wrong or used one.
        The actor is whose code it is. The user must be locked or held: no factor comes or goes meanwhile.
        """
        user_id = actor.known_user_id()
        factor = await self._factors.find_and_lock(tx, user_id)
        if factor is None or not factor.is_on:
            return
        if code is None or guess is None:
            raise OtpRequired
        password = read_one_time_password(code)
        if password is None:
            if not await self._factors.spend_recovery_code(tx, user_id, digest_of_recovery_code(code)):
                raise InvalidOtp
            await self._audit.record(
                tx, actor, action=SecondFactorAction.RECOVERY_CODE_USED, resource=f"user:{user_id}"
            )
        else:
            step = find_step(open_secret(factor, self._master), password, timestamp=clock.timestamp())
            if step is None or (factor.last_step is not None and step <= factor.last_step):
                raise InvalidOtp
            await self._factors.remember_step(tx, user_id, step)
        await self._attempts.succeed(tx, guess)


class StepUp:
    """Has somebody who is logged in prove again who they are, before a change that a thief would make."""

    def __init__(
        self,
        *,
        database: Database,
        users: PostgresUsers,
        sessions: PostgresSessions,
        passwords: PasswordChecks,
        codes: CodeChecks,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._passwords = passwords
        self._codes = codes

    async def require(
        self, actor: Actor, *, password: str, otp: str | None, pointer: str = "/password"
    ) -> Credentials:
        """Check the present password, and the code where it is given or needed; call it before a transaction.

        It is needed where the actor has a second factor and logged in more than 15 minutes ago. A recovery code
        does as well. Raises `WrongPassword`, `WrongOtp`, `ReauthenticationRequired` and `TooManyAttempts`.
        The credentials are those that were proved: `PostgresUsers.hold_credentials` says in the transaction of
        the change whether they still are, and keeps them so.
        """
        needs_code = await self._codes.is_needed(actor.known_user_id())
        if needs_code and otp is None and not await self._is_fresh(actor):
            raise ReauthenticationRequired
        right = await self._check(actor, password, pointer=pointer)
        if needs_code and otp is not None:
            await self._spend(right.credentials, otp, actor=actor)
        return right.credentials

    async def require_fresh(self, actor: Actor) -> None:
        """Raises `ReauthenticationRequired` where the log-in was more than 15 minutes ago."""
        if not await self._is_fresh(actor):
            raise ReauthenticationRequired

    async def _check(self, actor: Actor, password: str, *, pointer: str) -> RightPassword:
        async with self._database.read() as unit:
            user = await self._users.find(unit, actor.known_user_id())
        if user is None:
            raise Unauthenticated
        try:
            right = await self._passwords.check(user.email, password, actor=actor)
        except InvalidCredentials as wrong:
            raise WrongPassword(pointer) from wrong
        if right.credentials.user_id != user.id:
            raise WrongPassword(pointer)  # the address went to somebody else a moment ago
        # In a unit of its own, as the code's: what was proved stays proved, whatever becomes of the change.
        async with self._database.write() as tx:
            await self._passwords.succeed(tx, right)
        return right

    async def _spend(self, proved: Credentials, otp: str, *, actor: Actor) -> None:
        guess = await self._codes.count(proved.user_id)
        try:
            async with self._database.write() as tx:
                if not await self._users.hold_credentials(tx, proved):
                    raise Unauthenticated
                await self._codes.spend(tx, otp, guess=guess, actor=actor)
        except InvalidOtp as wrong:
            raise WrongOtp from wrong

    async def _is_fresh(self, actor: Actor) -> bool:
        if actor.session_id is None:
            return False
        async with self._database.read() as unit:
            age_seconds = await self._sessions.find_age_seconds(unit, actor.session_id)
        return age_seconds is not None and age_seconds <= FRESH.total_seconds()
