"""What people do with their second factor."""

import base64

from midrise.foundation import clock
from midrise.foundation.actor import Actor
from midrise.foundation.database import WriteUnit
from midrise.foundation.errors import Unauthenticated, Unavailable
from midrise.foundation.module import House
from midrise.foundation.security.totp import (
    find_step,
    generate_totp_secret,
    provisioning_uri,
    read_one_time_password,
)
from midrise.modules.audit import AuditTrail
from midrise.modules.identity.credentials.model import WrongOtp
from midrise.modules.identity.credentials.service import CodeChecks, StepUp
from midrise.modules.identity.second_factors.model import (
    NewSecondFactor,
    SecondFactor,
    SecondFactorAction,
    SecondFactorOff,
    SecondFactorOn,
    digest_of_recovery_code,
    generate_recovery_codes,
    open_secret,
    seal_secret,
)
from midrise.modules.identity.second_factors.repository import PostgresSecondFactors
from midrise.modules.identity.users.model import User, user_generation
from midrise.modules.identity.users.repository import PostgresUsers

_RESEALED_AT_ONCE = 500


class SecondFactors:
    """Sets authenticator apps up, and switches them off."""

    def __init__(
        self,
        *,
        house: House,
        factors: PostgresSecondFactors,
        users: PostgresUsers,
        codes: CodeChecks,
        step_up: StepUp,
        audit: AuditTrail,
    ) -> None:
        self._database = house.database
        self._factors = factors
        self._users = users
        self._codes = codes
        self._step_up = step_up
        self._master = house.master
        self._audit = audit
        self._issuer = house.access_tokens.issuer

    async def start(self, *, actor: Actor) -> NewSecondFactor:
        """Make a secret, in place of one that was not confirmed. Nobody is asked for a code yet.

        Raises `SecondFactorOn`, and `ReauthenticationRequired` where the log-in was too long ago.
        """
        await self._step_up.require_fresh(actor)
        secret = generate_totp_secret()

        async def start(tx: WriteUnit) -> NewSecondFactor:
            user = await self._lock_user(tx, actor)
            sealed = seal_secret(secret, self._master, user_id=user.id)
            if not await self._factors.start(tx, user.id, sealed_secret=sealed):
                raise SecondFactorOn
            return NewSecondFactor(
                secret=base64.b32encode(secret).decode("ascii"),
                otpauth_uri=provisioning_uri(secret, account=user.email, issuer=self._issuer),
            )

        return await self._database.write_once(actor.attempt, NewSecondFactor, start)

    async def confirm(self, otp: str, *, actor: Actor) -> list[str]:
        """Switch the factor on by its first code; the recovery codes, which only the same attempt gets again.

        Raises `SecondFactorOff` where none was started, `SecondFactorOn`, `WrongOtp`, `TooManyAttempts`, and
        `ReauthenticationRequired` where the log-in was too long ago.
        """
        await self._step_up.require_fresh(actor)
        # The code of an attempt that was made before counted then: it is no further guess.
        was_done = await self._database.was_done(actor.attempt, list[str])
        guess = None if was_done else await self._codes.count(actor.known_user_id())

        async def confirm(tx: WriteUnit) -> list[str]:
            if guess is None:
                raise Unavailable  # what the attempt came to was forgotten a moment ago
            user, factor = await self._lock_user(tx, actor), await self._lock_unconfirmed(tx, actor)
            await self._factors.remember_step(tx, user.id, self._step_of(otp, factor))
            codes = generate_recovery_codes()
            await self._factors.confirm(tx, user.id, digests=[digest_of_recovery_code(code) for code in codes])
            await self._codes.succeed(tx, guess)
            await self._record(tx, user, SecondFactorAction.SWITCHED_ON, actor=actor)
            return codes

        return await self._database.write_once(actor.attempt, list[str], confirm)

    async def switch_off(self, password: str, otp: str, *, actor: Actor) -> None:
        """Forget the factor and its recovery codes.

        Raises `SecondFactorOff`, `WrongPassword`, `WrongOtp` and `TooManyAttempts`.
        """
        if await self._database.was_done(actor.attempt, type(None)):
            return
        if not await self._codes.is_needed(actor.known_user_id()):
            raise SecondFactorOff
        await self._step_up.require(actor, password=password, otp=otp)

        async def switch_off(tx: WriteUnit) -> None:
            user = await self._lock_user(tx, actor)
            if not await self._factors.remove(tx, user.id):
                raise SecondFactorOff
            await self._record(tx, user, SecondFactorAction.SWITCHED_OFF, actor=actor)

        await self._database.write_once(actor.attempt, type(None), switch_off)

    async def reseal(self) -> int:
        """Seal every app's secret with the present master secret; how many were sealed with another.

        Raises `SealBroken` where one was sealed with a secret that is not known here.
        """
        resealed, batch = 0, _RESEALED_AT_ONCE
        while batch == _RESEALED_AT_ONCE:
            async with self._database.write() as tx:
                factors = await self._factors.lock_sealed_otherwise(
                    tx, prefix=self._master.seal_prefix, limit=_RESEALED_AT_ONCE
                )
                for factor in factors:
                    secret = open_secret(factor, self._master)
                    sealed = seal_secret(secret, self._master, user_id=factor.user_id)
                    await self._factors.seal(tx, factor.user_id, sealed_secret=sealed)
            batch = len(factors)
            resealed += batch
        return resealed

    async def _lock_unconfirmed(self, tx: WriteUnit, actor: Actor) -> SecondFactor:
        factor = await self._factors.find_and_lock(tx, actor.known_user_id())
        if factor is None:
            raise SecondFactorOff
        if factor.is_on:
            raise SecondFactorOn
        return factor

    def _step_of(self, otp: str, factor: SecondFactor) -> int:
        password = read_one_time_password(otp)
        secret = open_secret(factor, self._master)
        step = find_step(secret, password, timestamp=clock.timestamp()) if password else None
        if step is None:
            raise WrongOtp
        return step

    async def _lock_user(self, tx: WriteUnit, actor: Actor) -> User:
        """Log-ins hold the user as well: none slips through while a factor comes or goes."""
        user = await self._users.find_and_lock(tx, actor.known_user_id())
        if user is None:
            raise Unauthenticated
        return user

    async def _record(self, tx: WriteUnit, user: User, action: SecondFactorAction, *, actor: Actor) -> None:
        tx.mark(user_generation(user.id))
        await self._audit.record(tx, actor, action=action, resource=user.resource)
