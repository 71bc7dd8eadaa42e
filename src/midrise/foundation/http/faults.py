"""From what msgspec says of a value to faults: every field that is wrong, each with its place."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from midrise.foundation.errors import Fault, FaultCode

FurtherFaults = Callable[[Mapping[str, Any]], Iterable[Fault]]
"""What a body's class may offer as ``further_faults``: rules that its types can't say, for a body that is
refused anyway, so that these are named in the same answer. It is given plain values of any type."""

MOST_FAULTS = 100
"""How many faults an answer names: a body of a megabyte can have hundreds of thousands."""

_RULES: tuple[tuple[re.Pattern[str], FaultCode], ...] = (
    (re.compile(r"Expected `\w+` of length >= (?P<limit>\d+)"), FaultCode.TOO_SHORT),
    (re.compile(r"Expected `\w+` of length <= (?P<limit>\d+)"), FaultCode.TOO_LONG),
    (re.compile(r"Expected `\w+` (?:>=|>) (?P<limit>-?[\d.]+)"), FaultCode.TOO_SMALL),
    (re.compile(r"Expected `\w+` (?:<=|<) (?P<limit>-?[\d.]+)"), FaultCode.TOO_LARGE),
    (re.compile(r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`"), FaultCode.WRONG_TYPE),
    (re.compile(r"Invalid (?P<expected>.+)"), FaultCode.WRONG_FORMAT),
)
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "RFC3339 encoded datetime": "a time of RFC 3339 such as 2026-11-23T04:05:06Z",
    "datetime": "a time of RFC 3339 such as 2026-11-23T04:05:06Z",
    "UUID": "a UUID",
    "base64 encoded string": "base64",
}
_DOCUMENTED_FORM = "in the form that the documentation gives"
_END = re.compile(r"(?<!\\)(?:\\\\)*\$$")
"""The end of a pattern that holds to the end of the text: `$`, but not an escaped one."""
_PLACE = re.compile(r" - at `(?:key in )?\$(?P<path>.*)`$")
_ENUM = re.compile(r"Invalid enum value")
_PATTERN = re.compile(r"Expected `str` matching regex")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")


def fault_of(message: str, annotation: Any = None) -> tuple[FaultCode, dict[str, object]]:
    """The code and the arguments that a message of msgspec's stands for.

    What a pattern asks for is told in the words of its ``Meta(extra={"expected": "…"})``: people don't read
    patterns.
    """
    reason = _PLACE.sub("", message)
    if _ENUM.match(reason):
        return FaultCode.NOT_ALLOWED, {"allowed": ", ".join(_allowed(annotation))}
    if _PATTERN.match(reason):
        return FaultCode.WRONG_FORMAT, {"expected": _form_in_words(annotation)}
    for pattern, code in _RULES:
        if match := pattern.match(reason):
            arguments: dict[str, object] = dict(match.groupdict())
            for name in arguments.keys() & {"expected", "got"}:
                arguments[name] = _in_words(str(arguments[name]))
            return code, arguments
    return FaultCode.WRONG_FORMAT, {"expected": "valid"}


def _in_words(types: str) -> str:
    return " or ".join(_WORDS.get(name, name) for name in types.split(" | "))


def body_faults(value: Any, annotation: Any, pointer: str = "") -> Iterator[Fault]:
    """Every fault of a JSON value against a type, at most one for each field."""
    struct = _struct_in(annotation)
    if struct is not None and isinstance(value, dict):
        yield from _struct_faults(value, struct, pointer)
        return
    # What is too long is not looked at item by item: it may be as long as a body can be.
    found = False
    for fault in () if _is_too_long(value, annotation) else _part_faults(value, annotation, pointer):
        found = True
        yield fault
    if found:
        return
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as invalid:
        place = _PLACE.search(str(invalid))
        code, arguments = fault_of(str(invalid), annotation)
        yield Fault(code, pointer=pointer + _pointer(place["path"] if place else ""), arguments=arguments)
    else:
        if isinstance(value, str) and _breaks_pattern(value, annotation):
            arguments = {"expected": _form_in_words(annotation)}
            yield Fault(FaultCode.WRONG_FORMAT, pointer=pointer, arguments=arguments)


def text_fault(text: str, annotation: Any) -> tuple[FaultCode, dict[str, object]] | None:
    """What is wrong with the text of a parameter, or of a key, that is to be of that type."""
    try:
        msgspec.convert(text, annotation, strict=False)
    except msgspec.ValidationError as invalid:
        return fault_of(str(invalid), annotation)
    if _breaks_pattern(text, annotation):
        return FaultCode.WRONG_FORMAT, {"expected": _form_in_words(annotation)}
    return None


def nul_faults(value: Any, pointer: str = "") -> Iterator[Fault]:
    """Every text in a JSON value that holds NUL, which PostgreSQL can't store."""
    if isinstance(value, str):
        if "\0" in value:
            yield Fault(FaultCode.NUL_CHARACTER, pointer=pointer)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from nul_faults(each, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for key, each in value.items():
            place = f"{pointer}/{_escape(key)}"
            if "\0" in key:
                yield Fault(FaultCode.NUL_CHARACTER, pointer=place)
            yield from nul_faults(each, place)


def _struct_faults(value: Mapping[str, Any], struct: type[msgspec.Struct], pointer: str) -> Iterator[Fault]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name, field in fields.items():
        if name in value:
            yield from body_faults(value[name], field.type, f"{pointer}/{_escape(name)}")
        elif field.required:
            yield Fault(FaultCode.MISSING, pointer=f"{pointer}/{_escape(name)}")
    for name in value:
        if name not in fields:
            yield Fault(FaultCode.UNKNOWN_FIELD, pointer=f"{pointer}/{_escape(name)}")
    further: FurtherFaults | None = getattr(struct, "further_faults", None)
    if further is not None:
        yield from (replace(fault, pointer=f"{pointer}{fault.pointer}") for fault in further(value))


def _struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    for option in _options(annotation):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def _part_faults(value: Any, annotation: Any, pointer: str) -> Iterator[Fault]:
    for option in _options(annotation):
        origin, parts = get_origin(option), get_args(option)
        if origin in {list, tuple, set, frozenset} and isinstance(value, list):
            for index, each in enumerate(value):
                yield from body_faults(each, parts[0], f"{pointer}/{index}")
        elif origin is dict and isinstance(value, dict):
            for key, each in value.items():
                yield from _key_faults(key, parts[0], f"{pointer}/{_escape(key)}")
                yield from body_faults(each, parts[1], f"{pointer}/{_escape(key)}")


def _key_faults(key: str, annotation: Any, pointer: str) -> Iterator[Fault]:
    found = text_fault(key, annotation)
    if found is not None:
        yield Fault(found[0], pointer=pointer, arguments=found[1])


def _is_too_long(value: Any, annotation: Any) -> bool:
    bounds = [meta.max_length for meta in _metas(annotation) if meta.max_length is not None]
    return isinstance(value, list | dict) and any(len(value) > bound for bound in bounds)


def _options(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _options(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for option in get_args(annotation):
            yield from _options(option)
    else:
        yield annotation


def _breaks_pattern(text: str, annotation: Any) -> bool:
    """Whether a text that msgspec let through keeps a pattern only up to a line feed at its end.

    ``$`` of Python's `re` stands before such a line feed as well, that of JSON Schema (ECMA-262) does not.
    """
    if not text.endswith("\n"):
        return False
    patterns = [meta.pattern for meta in _metas(annotation) if meta.pattern and _END.search(meta.pattern)]
    return any(re.search(rf"(?:{pattern})(?!\n)", text) is None for pattern in patterns)


def _metas(annotation: Any) -> Iterator[msgspec.Meta]:
    """What is said of the values of a type, by itself or by an option of it."""
    if get_origin(annotation) is Annotated:
        inner, *said = get_args(annotation)
        yield from (meta for meta in said if isinstance(meta, msgspec.Meta))
        yield from _metas(inner)
    elif get_origin(annotation) in {Union, UnionType}:
        for option in get_args(annotation):
            yield from _metas(option)


def _form_in_words(annotation: Any) -> str:
    told = (meta.extra["expected"] for meta in _metas(annotation) if meta.extra and "expected" in meta.extra)
    return next(told, _DOCUMENTED_FORM)


def _allowed(annotation: Any) -> list[str]:
    allowed: list[str] = []
    for option in _options(annotation):
        if isinstance(option, type) and hasattr(option, "__members__"):
            allowed += [str(member.value) for member in option.__members__.values()]
        else:
            allowed += [str(value) for value in get_args(option) if isinstance(value, str)]
    return allowed


def _pointer(path: str) -> str:
    return "".join(f"/{_escape(name or index)}" for name, index in _STEP.findall(path) if index != "...")


def _escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
