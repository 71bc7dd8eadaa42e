"""A value of the configuration as clients set and see it."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from midrise.foundation.module import ConfigValue
from midrise.modules.config.values.model import LARGEST_NUMBER, LONGEST_TEXT, ConfigEntry

AnyValue = (
    bool
    | Annotated[int, msgspec.Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
    | Annotated[float, msgspec.Meta(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
    | Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
)

TypeName = Literal["boolean", "integer", "number", "string"]

_TYPE_NAMES: dict[type[ConfigValue], TypeName] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
}


class NewConfigValue(msgspec.Struct, forbid_unknown_fields=True):
    """The value to put in force, of the type and within the bounds of its key."""

    value: Annotated[AnyValue, msgspec.Meta(examples=[False])]


class ConfigEntryShown(msgspec.Struct):
    """A key of the configuration and what is in force for it."""

    key: Annotated[str, msgspec.Meta(examples=["registration.open"])]
    value: Annotated[ConfigValue, msgspec.Meta(description="What is in force", examples=[False])]
    default: Annotated[ConfigValue, msgspec.Meta(examples=[True])]
    type: Annotated[TypeName, msgspec.Meta(examples=["boolean"])]
    description: Annotated[str, msgspec.Meta(examples=["Whether visitors may register"])]
    public: Annotated[bool, msgspec.Meta(description="Whether anyone may read it", examples=[True])]
    updated_at: Annotated[
        datetime | None, msgspec.Meta(description="When it was set; null while the default is in force")
    ]


def entry_shown(entry: ConfigEntry) -> ConfigEntryShown:
    key = entry.declaration
    return ConfigEntryShown(
        key=key.key,
        value=entry.value,
        default=key.default,
        type=_TYPE_NAMES[type(key.default)],
        description=key.description,
        public=key.public,
        updated_at=entry.updated_at,
    )
