"""Identifiers that sort by creation: UUID version 7 (RFC 9562, section 5.7)."""

from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh UUIDv7, greater than those that this process made before."""
    return uuid7()
