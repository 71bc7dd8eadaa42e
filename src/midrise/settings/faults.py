"""What is said of settings that can't be used: a sentence a fault, without the value, which may be a secret."""

from typing import Any

PREFIX = "MIDRISE_"
TOML_FILE = "midrise.toml"

_REASONS = {
    "extra_forbidden": f"{TOML_FILE} has it, but there is no such setting",
    "model_type": f"{TOML_FILE} has a value in place of the table [{{place}}]",
    "string_type": "it must be a text",
    "string_too_short": "it must not be empty",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_parsing_size": "it must be a whole number of usual size",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a number",
    "greater_than": "it must be more than {gt:g}",
    "greater_than_equal": "it must be {ge:g} or more",
    "less_than_equal": "it must be {le:g} or less",
    "path_type": "it must be a path",
    "tuple_type": "it must be a list, or a text with a comma between",
}
_OTHER_REASON = "it can't be used"


class SettingsInvalid(Exception):
    """The settings can't be used; its text is one sentence a fault, for the person who starts the program."""


def sentence(fault: Any) -> str:
    """What pydantic found, as a sentence that begins with the variable."""
    place = [str(step) for step in fault["loc"] if not isinstance(step, int)]
    if fault["type"] == "value_error":
        reason = str(fault["ctx"]["error"]).removesuffix(".")
    else:
        reason = _REASONS.get(fault["type"], _OTHER_REASON).format(
            place=".".join(place), **fault.get("ctx", {})
        )
    if reason.startswith(PREFIX):
        return f"{reason}."
    return f"{PREFIX}{'_'.join(place).upper()}: {reason}."
