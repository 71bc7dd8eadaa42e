"""JSON Schemas (2020-12) of the types that bodies and parameters are decoded into and answers encoded from.

They come from what msgspec itself knows of a type, so the document says what the decoder does. Bodies and
answers of one type differ: a body must not have more fields than its type, while answers may get new ones with
a later version; and an answer always has the fields that a body may leave out.
"""

from collections.abc import Callable, Mapping, MutableMapping
from enum import Enum
from inspect import getdoc
from typing import Any

import msgspec
import msgspec.inspect as types

JsonSchema = dict[str, Any]

REFERENCE = "#/components/schemas/"

_BODY_SUFFIX = "Input"
_FORMATS: Mapping[type[types.Type], JsonSchema] = {
    types.AnyType: {},
    types.RawType: {},
    types.NoneType: {"type": "null"},
    types.BoolType: {"type": "boolean"},
    types.UUIDType: {"type": "string", "format": "uuid"},
    types.DateTimeType: {"type": "string", "format": "date-time"},
    types.DateType: {"type": "string", "format": "date"},
    types.DecimalType: {"type": "string", "format": "decimal"},
}


class SchemaUnknown(Exception):
    """A type has no schema; the text names it."""


class JsonSchemas:
    """Collects schemas. Those of structs and enums become components, under the names that clients see."""

    def __init__(self) -> None:
        self.components: dict[str, JsonSchema] = {}
        self._classes: dict[str, object] = {}

    def of_body(self, annotation: Any) -> JsonSchema:
        """The schema of what a client sends."""
        return self._of(types.type_info(annotation), of_body=True)

    def of_answer(self, annotation: Any) -> JsonSchema:
        """The schema of what a client gets."""
        return self._of(types.type_info(annotation), of_body=False)

    def resolve(self, schema: JsonSchema) -> JsonSchema:
        """The schema itself, where a reference was given."""
        reference = schema.get("$ref")
        return self.components[reference.removeprefix(REFERENCE)] if reference else schema

    def settle_names(self, document: JsonSchema) -> None:
        """Give types that are only ever sent their plain name, here and in a document that refers to them."""
        plain = {
            name: name.removesuffix(_BODY_SUFFIX)
            for name in self.components
            if name.endswith(_BODY_SUFFIX) and name.removesuffix(_BODY_SUFFIX) not in self.components
        }
        self.components = {
            plain.get(name, name): {**schema, "title": plain.get(name, name)}
            for name, schema in sorted(self.components.items(), key=lambda each: plain.get(each[0], each[0]))
        }
        references = {REFERENCE + name: REFERENCE + short for name, short in plain.items()}
        _rename(document, references)
        _rename(self.components, references)

    def _of(self, info: types.Type, *, of_body: bool) -> JsonSchema:
        match info:
            case types.Metadata():
                return {**self._of(info.type, of_body=of_body), **(info.extra_json_schema or {})}
            case types.UnionType():
                return _union([self._of(option, of_body=of_body) for option in info.types])
            case types.DictType():
                return self._mapping(info, of_body=of_body)
            case types.CollectionType():
                items = self._of(info.item_type, of_body=of_body)
                return _bounded({"type": "array", "items": items}, info, "Items")
            case types.EnumType():
                return self._component(info.cls, "", lambda: _enum(info.cls))
            case types.StructType():
                suffix = _BODY_SUFFIX if of_body else ""
                return self._component(info.cls, suffix, lambda: self._struct(info, of_body=of_body))
        return _scalar(info)

    def _mapping(self, info: types.DictType, *, of_body: bool) -> JsonSchema:
        schema: JsonSchema = {"type": "object"}
        names = self._of(info.key_type, of_body=of_body)
        if names != {"type": "string"}:
            schema["propertyNames"] = names
        schema["additionalProperties"] = self._of(info.value_type, of_body=of_body) or True
        return _bounded(schema, info, "Properties")

    def _component(self, cls: object, suffix: str, schema: Callable[[], JsonSchema]) -> JsonSchema:
        name = _name(cls) + suffix
        if self._classes.setdefault(name, cls) != cls:
            raise SchemaUnknown(f"{cls} and {self._classes[name]} would both be called {name}.")
        if name not in self.components:
            self.components[name] = {}  # a type may refer to itself
            self.components[name] = schema()
        return {"$ref": REFERENCE + name}

    def _struct(self, info: types.StructType, *, of_body: bool) -> JsonSchema:
        cls = getattr(info.cls, "__origin__", info.cls)
        properties: dict[str, JsonSchema] = {}
        required: list[str] = []
        for field in info.fields:
            schema = self._of(field.type, of_body=of_body)
            if of_body and not field.required and field.default not in {msgspec.NODEFAULT, msgspec.UNSET}:
                schema["default"] = msgspec.to_builtins(field.default)
            if field.required or (not of_body and _is_always_there(cls, field)):
                required.append(field.encode_name)
            elif not of_body and field.default is None:
                schema = _without_null(schema)
            properties[field.encode_name] = schema
        schema = {"type": "object", "description": _description(cls), "properties": properties}
        if required:
            schema["required"] = required
        if of_body and info.forbid_unknown_fields:
            schema["additionalProperties"] = False
        return schema


def _scalar(info: types.Type) -> JsonSchema:
    match info:
        case types.IntType() | types.FloatType():
            return _number(info)
        case types.StrType():
            return _bounded({"type": "string"}, info, "Length", pattern=info.pattern)
        case types.LiteralType():
            return _choice(info.values)
    if type(info) not in _FORMATS:
        raise SchemaUnknown(f"{info} has no JSON schema.")
    return dict(_FORMATS[type(info)])


def _name(cls: object) -> str:
    """`UserShown` is called `User`, a list of them `UserList`, `NewRoleBody` is `NewRole`."""
    origin = getattr(cls, "__origin__", None)
    if origin is None:
        return str(getattr(cls, "__name__", cls)).removesuffix("Shown").removesuffix("Body")
    parts = "".join(_name(part) for part in getattr(cls, "__args__", ()))
    return f"{parts}{_name(origin).removesuffix('Of')}"


def _description(cls: type) -> str:
    return " ".join((getdoc(cls) or "").split())


def _is_always_there(cls: type, field: types.Field) -> bool:
    return field.default is not msgspec.UNSET and not cls.__struct_config__.omit_defaults  # type: ignore[attr-defined]


def _enum(cls: type[Enum]) -> JsonSchema:
    return {**_choice([member.value for member in cls]), "description": _description(cls)}


def _choice(values: Any) -> JsonSchema:
    listed = list(values)
    schema: JsonSchema = {"const": listed[0]} if len(listed) == 1 else {"enum": listed}
    if all(isinstance(value, str) for value in listed):
        return {"type": "string", **schema}
    return schema


def _number(info: types.IntType | types.FloatType) -> JsonSchema:
    schema: JsonSchema = {"type": "integer" if isinstance(info, types.IntType) else "number"}
    bounds = {
        "minimum": info.ge,
        "maximum": info.le,
        "exclusiveMinimum": info.gt,
        "exclusiveMaximum": info.lt,
        "multipleOf": info.multiple_of,
    }
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}


def _bounded(schema: JsonSchema, info: Any, what: str, *, pattern: str | None = None) -> JsonSchema:
    bounds = {f"min{what}": info.min_length, f"max{what}": info.max_length, "pattern": pattern}
    return schema | {name: bound for name, bound in bounds.items() if bound is not None}


def _union(options: list[JsonSchema]) -> JsonSchema:
    if len(options) == 1:
        return options[0]
    if len(options) == 2 and {"type": "null"} in options:
        option = next(option for option in options if option != {"type": "null"})
        if isinstance(option.get("type"), str) and "enum" not in option and "const" not in option:
            return {**option, "type": [option["type"], "null"]}
    return {"anyOf": options}


def _without_null(schema: JsonSchema) -> JsonSchema:
    """What is left out where it would be null is never null."""
    if isinstance(schema.get("type"), list):
        return {**schema, "type": next(kind for kind in schema["type"] if kind != "null")}
    if "anyOf" in schema:
        return {**schema, **_union([option for option in schema["anyOf"] if option != {"type": "null"}])}
    return schema


def _rename(value: Any, references: Mapping[str, str]) -> None:
    if isinstance(value, MutableMapping):
        if value.get("$ref") in references:
            value["$ref"] = references[value["$ref"]]
        for each in value.values():
            _rename(each, references)
    elif isinstance(value, list):
        for each in value:
            _rename(each, references)
