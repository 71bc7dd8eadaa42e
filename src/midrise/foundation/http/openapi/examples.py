"""Examples of whole bodies, put together from the examples of their fields."""

from typing import Any

from midrise.foundation.http.openapi.json_schemas import JsonSchema, JsonSchemas

PLACEHOLDER = "text"
"""What a text gives that has no example of its own."""

_OF_FORMAT = {
    "uuid": "0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21",
    "date-time": "2026-11-23T04:05:06.789Z",
    "date": "2026-11-23",
    "decimal": "19.99",
}
_OF_TYPE: dict[str, Any] = {"boolean": True, "integer": 1, "number": 1.5, "string": PLACEHOLDER, "null": None}


def example_of(schema: JsonSchema, schemas: JsonSchemas) -> Any:
    """A value of the schema: its own example, else what its parts give."""
    if "examples" in schema:
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "$ref" in schema:
        return example_of(schemas.resolve(schema), schemas)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], schemas)
    return _of_type(schema, schemas)


def _of_type(schema: JsonSchema, schemas: JsonSchemas) -> Any:
    kind = schema.get("type", "null")
    if isinstance(kind, list):
        # A value that may be null and says nothing more of itself.
        kind = kind[0] if "format" in schema else "null"
    if kind == "object":
        return {name: example_of(each, schemas) for name, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [example_of(schema["items"], schemas)]
    if "format" in schema:
        return _OF_FORMAT[schema["format"]]
    return max(_OF_TYPE[kind], schema["minimum"]) if "minimum" in schema else _OF_TYPE[kind]
