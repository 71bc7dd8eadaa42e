"""An address that is to be verified or changed."""

from dataclasses import dataclass, field
from enum import StrEnum

from midrise.foundation.errors import Fault, FaultCode
from midrise.modules.identity.users.model import registration_faults


class EmailAction(StrEnum):
    """What the audit says of addresses. Never the address itself: the audit outlives the account."""

    VERIFIED = "user:email:verified"
    REQUESTED = "user:email:requested"
    CHANGED = "user:email:changed"


@dataclass(frozen=True, slots=True)
class NewAddress:
    """The address that a person wants to have, and what proves that it is them who wants it."""

    email: str
    password: str | None = field(repr=False)
    otp: str | None = field(default=None, repr=False)


def new_address_faults(email: str, *, has_password: bool) -> list[Fault]:
    """What is wrong with an address that a person wants to have."""
    faults = registration_faults(email, None, name="")
    if not has_password:
        faults.append(Fault(FaultCode.MISSING, pointer="/password"))
    return faults
