"""From rows to values."""

from dataclasses import fields
from typing import Any


def fields_of(kind: type[Any], row: Any) -> dict[str, Any]:
    """The columns of the row that the dataclass has fields for, by name."""
    return {each.name: row[each.name] for each in fields(kind)}
