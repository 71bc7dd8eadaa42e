"""A right password, and what is said where it, or a code, is wrong or not enough."""

from dataclasses import dataclass
from datetime import timedelta

from midrise.foundation.errors import AppError, Fault, FaultCode, Forbidden, Invalid, Unauthenticated
from midrise.modules.identity.log_in_attempts.model import Guess
from midrise.modules.identity.users.model import Credentials

FRESH = timedelta(minutes=15)
"""How long after a log-in nothing more is asked for."""


class OtpRequired(Unauthenticated):
    """The password is right, and the account has a second factor: send `otp` or `recovery_code` as well."""

    code = "otp_required"
    title = "A code is needed"
    detail = "The code of the second factor is needed as well"


class InvalidOtp(Unauthenticated):
    """The code is wrong, has expired or was used before; the password was right. Wait for the next code."""

    code = "invalid_otp"
    title = "The code is not valid"
    detail = "The code is wrong or was used before"


class ReauthenticationRequired(Forbidden):
    """The log-in was more than 15 minutes ago, and this is a change that a thief would make: send the code of
    the second factor as `otp` where the call takes one, else log in again."""

    code = "reauthentication_required"
    title = "Prove again who you are"
    detail = "The log-in was too long ago for this change"

    def __init__(self) -> None:
        AppError.__init__(self)


class WrongPassword(Invalid):
    """The present password, which the call needs as well, is wrong."""

    def __init__(self, pointer: str) -> None:
        super().__init__([Fault(FaultCode.WRONG_PASSWORD, pointer=pointer)])


class WrongOtp(Invalid):
    """The code of the second factor, which the call needs as well, is wrong or was used before."""

    def __init__(self, pointer: str = "/otp") -> None:
        super().__init__([Fault(FaultCode.WRONG_OTP, pointer=pointer)])


@dataclass(frozen=True, slots=True)
class RightPassword:
    """Whose password was right, whether it should be hashed anew, and the guess that it was counted as."""

    credentials: Credentials
    needs_rehash: bool
    guess: Guess
