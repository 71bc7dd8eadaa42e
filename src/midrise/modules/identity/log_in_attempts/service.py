"""Counts guesses before they are judged, so that however many come at once, none slips through."""

import hmac
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from midrise.foundation import clock
from midrise.foundation.database import Database, WriteUnit
from midrise.foundation.errors import Unavailable
from midrise.foundation.security.secrets import MasterSecret
from midrise.modules.identity.log_in_attempts.model import (
    CODES_OF_ACCOUNT,
    LONGEST_WINDOW,
    PASSWORDS_FROM_ADDRESS,
    PASSWORDS_OF_ACCOUNT,
    Guess,
    Limit,
    TooManyAttempts,
    network_of,
    recent,
    wait_seconds,
)
from midrise.modules.identity.log_in_attempts.repository import PostgresLogInAttempts
from midrise.modules.identity.users.model import email_key

_PURGED_AT_ONCE = 5000


class LogInAttempts:
    """Counts guesses at passwords by account and by address, and those at codes by account.

    An account is known by a digest of its e-mail address: so one that does not exist is counted as well, and
    the table says nothing of who was tried. A refused guess is not counted: it was never judged, and whoever
    keeps trying does not prolong the owner's wait.
    """

    def __init__(self, *, database: Database, attempts: PostgresLogInAttempts, master: MasterSecret) -> None:
        self._database = database
        self._attempts = attempts
        self._key = master.derive("log-in attempts")

    async def count_password(self, email: str, *, address: str) -> Guess:
        """Count a guess that is about to be judged. Raises `TooManyAttempts` where it comes too early."""
        return await self._count(
            (PASSWORDS_OF_ACCOUNT, self._account(email)),
            (PASSWORDS_FROM_ADDRESS, self._place(PASSWORDS_FROM_ADDRESS, network_of(address))),
        )

    async def count_code(self, user_id: UUID) -> Guess:
        """The same for a second factor's code, whose wrong guesses use up none of the password's."""
        return await self._count((CODES_OF_ACCOUNT, self._codes_of(user_id)))

    async def succeed(self, tx: WriteUnit, guess: Guess) -> None:
        """The guess was right: whoever comes next need not wait."""
        self._attempts.succeed(tx, guess.made_at)

    async def give_back(self, guess: Guess) -> None:
        """The guess could not be judged, which is nobody's fault. If that can't be kept, it stays counted."""
        with suppress(Unavailable):
            async with self._database.write() as tx:
                self._attempts.give_back(tx, guess.made_at)

    async def forget(self, tx: WriteUnit, *, email: str, user_id: UUID) -> None:
        """Let the owner in at once, whatever was tried before: after a reset of the password.

        Of the guesses at codes only a few are forgotten: who has got hold of somebody's mailbox can reset the
        password again and again, and must still not guess codes forever.
        """
        await self._attempts.forget(tx, self._account(email))
        await self._attempts.ease(tx, self._codes_of(user_id), room=CODES_OF_ACCOUNT.free)

    async def purge(self) -> None:
        """Forget where nothing was tried for a day; in small transactions, however much that is."""
        before, purged = clock.now() - LONGEST_WINDOW, _PURGED_AT_ONCE
        while purged == _PURGED_AT_ONCE:
            async with self._database.write() as tx:
                purged = await self._attempts.purge(tx, last_before=before, limit=_PURGED_AT_ONCE)

    async def _count(self, *places: tuple[Limit, bytes]) -> Guess:
        """Where nothing is suspicious, one statement counts; what is, is looked at with all places locked."""
        async with self._database.write_single(is_private=True) as tx:
            made_at = await self._attempts.count_unsuspicious(tx, places)
        if len(made_at) == len(places):
            return Guess(made_at)
        if made_at:
            # Guesses came in between: the first places counted this one, and the next did not.
            await self.give_back(Guess(made_at))
        return await self._count_by_turns(places)

    async def _count_by_turns(self, places: Sequence[tuple[Limit, bytes]]) -> Guess:
        """Every place is locked before any time is taken, in the order in which all lock: accounts first."""
        async with self._database.write() as tx:
            found = [(limit, place, *await self._attempts.lock(tx, place)) for limit, place in places]
            now = found[-1][-1]
            counted = [(place, limit, recent(attempts, limit, now=now)) for limit, place, attempts, _ in found]
            wait = max(wait_seconds(attempts, limit, now=now) for _, limit, attempts in counted)
            if wait > 0:
                raise TooManyAttempts(wait)
            for place, _, attempts in counted:
                await self._attempts.save(
                    tx, place, made_at=[*attempts.made_at, now], streak=attempts.streak + 1
                )
        return Guess({place: now for _, place in places})

    def _account(self, email: str) -> bytes:
        return self._place(PASSWORDS_OF_ACCOUNT, email_key(email))

    def _codes_of(self, user_id: UUID) -> bytes:
        return self._place(CODES_OF_ACCOUNT, str(user_id))

    def _place(self, limit: Limit, text: str) -> bytes:
        return hmac.digest(self._key, f"{limit.name} {text}".encode("utf-8", "surrogatepass"), "sha256")
