"""Passwords as they are kept: bcrypt over a keyed digest, so that none is cut and a stolen table says nothing.

bcrypt reads 72 bytes and stops at a NUL. So it is given base64(HMAC-SHA-384(NFC(password), pepper)): always 64
characters, whatever the password. The pepper is derived from the master secret and is not in the database:
without it the stored hashes can't even be tried. What is stored is `v1$<id of the pepper's secret>$<bcrypt>`.
"""

import base64
import hmac
import math
import time
import unicodedata
from dataclasses import dataclass, field

import bcrypt
import structlog

from midrise.foundation.security.hashing_pool import HashingPool, available_cores
from midrise.foundation.security.secrets import MasterSecret

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 128
_LARGEST_COMPOSITION = (
    4  # NFC makes one character of at most four (Unicode annex 15, maximum expansion factors)
)

SMALLEST_COST, LARGEST_COST = 4, 31  # bcrypt knows no others
FEWEST_MILLISECONDS, MOST_MILLISECONDS = 100, 500
"""A hash that is cheaper is cheap to guess at; one that is dearer keeps people waiting, and others busy."""
_BEST_MILLISECONDS = 250
_SHORTEST_MEASURED_MILLISECONDS = 0.1

_FORMAT = "v1"
_PURPOSE = "password pepper"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PasswordSettings:
    """`cost` is bcrypt's: one more doubles the time. At most `most_waiting` log-ins wait for one of `workers`
    threads; the rest is told to come back."""

    cost: int = 12
    workers: int = field(default_factory=available_cores)
    most_waiting: int = 32


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the password is the stored one, and whether it should be hashed anew: other cost or secret."""

    matches: bool
    needs_rehash: bool


NO_MATCH = Verdict(matches=False, needs_rehash=False)


class BcryptPasswords:
    """Hashes and verifies in a bounded pool of threads. Every method raises `Unavailable` where it is full."""

    def __init__(self, settings: PasswordSettings, master: MasterSecret) -> None:
        self._cost = settings.cost
        self._pool = HashingPool(workers=settings.workers, most_waiting=settings.most_waiting)
        self._secret_id = master.secret_id
        self._peppers = {
            known.secret_id: known.derive(_PURPOSE) for known in (*reversed(master.previous), master)
        }

    async def hash(self, password: str) -> str:
        """The text to store. `check_strength` has refused what is too long."""
        return await self._pool.run(lambda: self._hash(password))

    async def verify(self, password: str, stored: str) -> Verdict:
        """Compare with what `hash` gave. A refusal takes as long as `verify_nothing`."""
        return await self._pool.run(lambda: self._verify(password, stored))

    async def verify_nothing(self, password: str) -> Verdict:
        """Takes as long as a refusal by `verify`; for an account that does not exist or may not log in."""
        return await self._pool.run(lambda: self._verify_nothing(password))

    async def calibrate(self) -> None:
        """Measure beside everything else what a hash costs here, and log whether that is a fitting time."""
        self._pool.begin(self._calibrate)

    def close(self) -> None:
        self._pool.close()

    def _calibrate(self) -> None:
        # By the time of the thread, not the clock: a busy machine is no slower machine.
        started = time.thread_time()
        self._hash("")
        milliseconds = round((time.thread_time() - started) * 1000, 1)
        if FEWEST_MILLISECONDS <= milliseconds <= MOST_MILLISECONDS:
            log.info("password.calibrated", cost=self._cost, milliseconds=milliseconds)
        else:
            fitting = fitting_cost(self._cost, milliseconds)
            log.warning(
                "password.cost_does_not_fit", cost=self._cost, milliseconds=milliseconds, fitting_cost=fitting
            )

    def _hash(self, password: str) -> str:
        hashed = bcrypt.hashpw(self._digest(password, self._secret_id), bcrypt.gensalt(self._cost))
        return f"{_FORMAT}${self._secret_id}${hashed.decode('ascii')}"

    def _verify(self, password: str, stored: str) -> Verdict:
        version, _, rest = stored.partition("$")
        secret_id, _, hashed = rest.partition("$")
        if version != _FORMAT or secret_id not in self._peppers:
            log.error("password.pepper_unknown", secret_id=secret_id)
            return self._verify_nothing(password)
        if len(password) > MOST_CHARACTERS * _LARGEST_COMPOSITION:
            return self._verify_nothing(password)
        digest = self._digest(password, secret_id)
        stored_cost = int(hashed.split("$")[2])
        if bcrypt.checkpw(digest, hashed.encode("ascii")):
            return Verdict(matches=True, needs_rehash=stored_cost != self._cost or secret_id != self._secret_id)
        self._spend_the_rest(digest, stored_cost)
        return NO_MATCH

    def _verify_nothing(self, password: str) -> Verdict:
        shortened = password[: MOST_CHARACTERS * _LARGEST_COMPOSITION]
        bcrypt.hashpw(self._digest(shortened, self._secret_id), bcrypt.gensalt(self._cost))
        return NO_MATCH

    def _spend_the_rest(self, digest: bytes, stored_cost: int) -> None:
        # A hash from before the cost was raised is cheaper to refuse, which would tell that the account
        # exists. 2**a + (2**a + 2**(a+1) + … + 2**(b-1)) = 2**b rounds, the time of a present one.
        for cost in range(stored_cost, self._cost):
            bcrypt.hashpw(digest, bcrypt.gensalt(cost))

    def _digest(self, password: str, secret_id: str) -> bytes:
        text = normalize_password(password).encode("utf-8", "surrogatepass")
        return base64.b64encode(hmac.digest(self._peppers[secret_id], text, "sha384"))


def fitting_cost(cost: int, milliseconds: float) -> int:
    """The cost at which a hash takes about a quarter of a second, where it takes so long at this one."""
    further = math.log2(_BEST_MILLISECONDS / max(milliseconds, _SHORTEST_MEASURED_MILLISECONDS))
    return max(SMALLEST_COST, min(LARGEST_COST, cost + round(further)))


def normalize_password(password: str) -> str:
    """The form in which passwords are counted and compared: NFC, so that every keyboard types the same."""
    return unicodedata.normalize("NFC", password)


def is_too_long(password: str) -> bool:
    """Whether it has more than 128 characters after NFC; at little cost however long it is.

    Composing characters takes quadratic time in the number of marks that follow each other, so what can't
    become short enough is not composed.
    """
    if len(password) > MOST_CHARACTERS * _LARGEST_COMPOSITION:
        return True
    return len(normalize_password(password)) > MOST_CHARACTERS
