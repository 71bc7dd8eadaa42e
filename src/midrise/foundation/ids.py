"""Identifiers that sort by creation: UUID version 7 (RFC 9562, section 5.7)."""

from functools import lru_cache
from uuid import UUID

import uuid_utils
from uuid_utils.compat import uuid7


@lru_cache(maxsize=65_536)
def text_of(identifier: UUID) -> str:
    """The id as it is written, which Python would spell out anew each time that a request needs it."""
    return str(identifier)


def new_id() -> UUID:
    """A fresh UUIDv7, greater than those that this process made before."""
    return uuid7()


def new_id_hex() -> str:
    """The same in 32 hexadecimal digits: that costs a tenth where nobody needs the object."""
    return uuid_utils.uuid7().bytes.hex()
