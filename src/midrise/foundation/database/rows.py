"""From rows to values, and back."""

from dataclasses import fields
from typing import Any


def values_of(value: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, as they are: `dataclasses.asdict` copies all that is in them."""
    return {each.name: getattr(value, each.name) for each in fields(value)}


def fields_of(kind: type[Any], row: Any) -> dict[str, Any]:
    """The columns of the row that the dataclass has fields for, by name."""
    return {each.name: row[each.name] for each in fields(kind)}
