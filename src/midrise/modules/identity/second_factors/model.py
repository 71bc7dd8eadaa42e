"""A second factor, its secret as it is stored, and the codes that stand in for it."""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from midrise.foundation.errors import Conflict
from midrise.foundation.security.secrets import MasterSecret

RECOVERY_CODES = 10
_GROUPS, _GROUP_LENGTH = 4, 5
# Crockford's base 32 without the letters that look like digits: 5 bits a character.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("OIL", "011")
_SEALING_PURPOSE = "second factor"


class SecondFactorOn(Conflict):
    """The account has a second factor already: switch that one off first."""

    code = "second_factor_on"
    title = "The second factor is on"
    detail = "The account has a second factor already"


class SecondFactorOff(Conflict):
    """The account has no second factor, or none that waits to be confirmed: begin with `POST mfa/totp`."""

    code = "second_factor_off"
    title = "There is no second factor"
    detail = "The account has no second factor that this could be done to"


class SecondFactorAction(StrEnum):
    """What the audit says of second factors."""

    SWITCHED_ON = "second_factor:switched_on"
    SWITCHED_OFF = "second_factor:switched_off"
    RECOVERY_CODE_USED = "second_factor:recovery_code:used"


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """Somebody's authenticator app. It counts once its first code was shown."""

    user_id: UUID
    sealed_secret: bytes = field(repr=False)
    confirmed_at: datetime | None
    last_step: int | None
    created_at: datetime

    @property
    def is_on(self) -> bool:
        return self.confirmed_at is not None


@dataclass(frozen=True, slots=True)
class NewSecondFactor:
    """What an app is set up with; shown once."""

    secret: str = field(repr=False)
    otpauth_uri: str = field(repr=False)


def seal_secret(secret: bytes, master: MasterSecret, *, user_id: UUID) -> bytes:
    """The secret as it is stored; opens only for the same user."""
    return master.seal(_SEALING_PURPOSE, secret, associated=user_id.bytes)


def open_secret(factor: SecondFactor, master: MasterSecret) -> bytes:
    """Raises `SealBroken`."""
    return master.open(_SEALING_PURPOSE, factor.sealed_secret, associated=factor.user_id.bytes)


def generate_recovery_codes() -> list[str]:
    """Codes of 100 random bits: so many that a plain digest of one can't be reversed."""
    return ["-".join(_random_group() for _ in range(_GROUPS)) for _ in range(RECOVERY_CODES)]


def digest_of_recovery_code(code: str) -> bytes:
    """What is stored of a code: the same however it was typed."""
    typed = "".join(character for character in code.upper() if character.isalnum())
    return hashlib.sha256(typed.translate(_LOOKALIKES).encode("utf-8", "surrogatepass")).digest()


def _random_group() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GROUP_LENGTH))
