"""What is stored of a person, sorted by what it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from midrise.modules.identity.users.model import User

Record = Mapping[str, object]
"""A row of a table, without what is secret or of no meaning to its owner."""


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """An account, and the records that refer to it by the table that holds them."""

    user: User
    records: Mapping[str, Sequence[Record]]
