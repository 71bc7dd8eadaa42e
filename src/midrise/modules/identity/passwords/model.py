"""What is said and kept of a changed password."""

from enum import StrEnum


class PasswordAction(StrEnum):
    """What the audit says of passwords."""

    CHANGED = "user:password:changed"
