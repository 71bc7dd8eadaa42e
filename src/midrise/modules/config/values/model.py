"""A value of the configuration, and the rules that its declaration sets."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from midrise.foundation.errors import Fault, FaultCode, Invalid
from midrise.foundation.module import ConfigKey, ConfigValue

Value = TypeVar("Value", bound=ConfigValue)

LARGEST_NUMBER = 2**53 - 1
"""The largest whole number that every reader of JSON keeps exactly; the bound of those that declare none."""

LONGEST_TEXT = 10_000
"""The most characters of a text whose key declares no bound."""

_POINTER = "/value"
_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
}
_KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


READ = "config:read"

CONFIG_GENERATION = "config"
"""The generation of everything that shows configuration."""


class ConfigKeyInvalid(Exception):
    """A module declares a key that can't be; the text says which and why. The service does not start."""


class ConfigAction(StrEnum):
    """What the audit says of the configuration."""

    SET = "config:set"
    RESET = "config:reset"


@dataclass(frozen=True, slots=True)
class StoredValue:
    """What is kept of a key: ``value`` is None where the default is in force.

    The version grows with every change, and going back to the default is one.
    """

    value: ConfigValue | None = None
    version: int = 0
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """A key with the value that is in force; ``updated_at`` is None where that is the default."""

    declaration: ConfigKey[ConfigValue]
    value: ConfigValue
    version: int = 0
    updated_at: datetime | None = None

    @property
    def tag(self) -> str:
        return str(self.version)


def entry_of(key: ConfigKey[ConfigValue], stored: StoredValue) -> ConfigEntry:
    """The entry in force.

    A stored value that its declaration doesn't allow any more, after a release that changed it, counts as
    not set.
    """
    if stored.value is None or fault_in(stored.value, key) is not None:
        return ConfigEntry(key, key.default, stored.version)
    return ConfigEntry(key, _converted(stored.value, key), stored.version, stored.updated_at)


def as_declared(value: ConfigValue, key: ConfigKey[Value]) -> Value:
    """The value in the type of its key. Raises `Invalid` for another type or beyond the bounds."""
    fault = fault_in(value, key)
    if fault is not None:
        raise Invalid([fault])
    return _converted(value, key)


def fault_in(value: ConfigValue, key: ConfigKey[ConfigValue]) -> Fault | None:
    """What is wrong with the value, or None."""
    if not _is_of_type(value, type(key.default)):
        arguments = {"expected": _KINDS[type(key.default)], "got": _KINDS[type(value)]}
        return Fault(FaultCode.WRONG_TYPE, pointer=_POINTER, arguments=arguments)
    if isinstance(value, bool):
        return None
    size, too_little, too_much = _measured(value)
    smallest, largest = _bounds(key)
    if size < smallest:
        return Fault(too_little, pointer=_POINTER, arguments={"limit": smallest})
    if size > largest:
        return Fault(too_much, pointer=_POINTER, arguments={"limit": largest})
    return None


def declared(keys: Iterable[ConfigKey[ConfigValue]]) -> Mapping[str, ConfigKey[ConfigValue]]:
    """The keys by their names, sorted. Raises `ConfigKeyInvalid` for one that is malformed or stands twice."""
    found: dict[str, ConfigKey[ConfigValue]] = {}
    for key in sorted(keys, key=lambda each: each.key):
        if not _KEY.fullmatch(key.key):
            raise ConfigKeyInvalid(f"The configuration key {key.key!r} must read like `module.name`.")
        if key.key in found:
            raise ConfigKeyInvalid(f"The configuration key {key.key} is declared twice.")
        if _bounds(key)[0] < _usual_bounds(key)[0] or _bounds(key)[1] > _usual_bounds(key)[1]:
            raise ConfigKeyInvalid(f"The bounds of the configuration key {key.key} go beyond what can be set.")
        if fault_in(key.default, key) is not None:
            raise ConfigKeyInvalid(f"The default of the configuration key {key.key} breaks its own bounds.")
        found[key.key] = key
    return found


def _is_of_type(value: ConfigValue, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is type(value)
    if kind is int:
        # JSON has one kind of number: 5.0 is a whole one.
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return isinstance(value, (int, float) if kind is float else kind)


def _measured(value: float | str) -> tuple[float, FaultCode, FaultCode]:
    if isinstance(value, str):
        return len(value), FaultCode.TOO_SHORT, FaultCode.TOO_LONG
    return value, FaultCode.TOO_SMALL, FaultCode.TOO_LARGE


def _bounds(key: ConfigKey[ConfigValue]) -> tuple[float, float]:
    usual = _usual_bounds(key)
    return (
        usual[0] if key.smallest is None else key.smallest,
        usual[1] if key.largest is None else key.largest,
    )


def _usual_bounds(key: ConfigKey[ConfigValue]) -> tuple[float, float]:
    return (0, LONGEST_TEXT) if isinstance(key.default, str) else (-LARGEST_NUMBER, LARGEST_NUMBER)


def _converted(value: ConfigValue, key: ConfigKey[Value]) -> Value:
    return type(key.default)(value)
