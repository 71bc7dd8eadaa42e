"""A forgotten password."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from midrise.foundation.jobs import QueuedJob


class PasswordResetAction(StrEnum):
    """What the audit says of them."""

    RESET = "user:password:reset"


@dataclass(frozen=True, slots=True)
class PasswordForgotten(QueuedJob):
    """Somebody says that the password of this address is forgotten: find out whether there is such an account.

    That is the worker's to do, so that the answer can't depend on it.
    """

    name: ClassVar[str] = "identity.password_forgotten"

    email: str = field(repr=False)
