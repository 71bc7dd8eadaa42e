"""One-time passwords by the time (RFC 6238), as every authenticator app makes them.

Six digits, 30 seconds, SHA-1: the only parameters that all apps know. They are made by `cryptography`, which is
here for the signing keys already.
"""

import hmac
import secrets

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from cryptography.hazmat.primitives.twofactor.totp import TOTP

DIGITS = 6
STEP_SECONDS = 30
DRIFT_STEPS = 1
"""How many steps a clock may be off, in either direction (RFC 6238, section 5.2)."""
SECRET_BYTES = 20
"""As long as the output of SHA-1 (RFC 4226, section 4)."""


def generate_totp_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def read_one_time_password(text: str) -> str | None:
    """Its six digits, whichever script they were typed in; None where the text can't be one.

    Spaces between do no harm: apps show them.
    """
    digits = "".join(text.split())
    if len(digits) != DIGITS or not digits.isdecimal():
        return None
    return f"{int(digits):0{DIGITS}}"


def find_step(secret: bytes, password: str, *, timestamp: float) -> int | None:
    """The step (the number of 30 seconds since 1970) that the password belongs to; None where it is wrong.

    Whoever accepts it must remember the step: a password counts once (RFC 6238, section 5.2).
    """
    present = int(timestamp) // STEP_SECONDS
    made = HOTP(secret, DIGITS, SHA1())  # noqa: S303  HMAC does not need a hash without collisions
    found = None
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if hmac.compare_digest(made.generate(step), password.encode("ascii")):
            found = step
    return found


def provisioning_uri(secret: bytes, *, account: str, issuer: str) -> str:
    """What an app reads from a QR code: `otpauth://totp/…`."""
    made = TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303  as above
    return made.get_provisioning_uri(account, issuer)
