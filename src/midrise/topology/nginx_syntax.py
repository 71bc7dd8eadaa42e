"""The little of nginx's configuration language that is written from Python."""

import re
from collections.abc import Iterable, Mapping
from importlib.resources import files

from midrise.topology.errors import Refused

_PLACEHOLDER = re.compile(r"(?P<indent>[ \t]*)\{\{(?P<name>\w+)\}\}")


def quoted(text: object) -> str:
    """The text as one word that means nothing but itself. Raises `Refused` where nginx has no way to say it."""
    word = str(text)
    if "$" in word or not word.isprintable():
        raise Refused(
            f"{word!r} can't stand in the gateway's configuration: choose a name without that character"
        )
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def block(head: str, lines: Iterable[str]) -> str:
    """Directives between braces."""
    return "\n".join([f"{head} {{", *(f"    {line}" for line in lines), "}"])


def filled(template: str, values: Mapping[str, str]) -> str:
    """A file of ``templates/gateway``, with a value for each ``{{name}}``; many lines keep the indentation."""
    text = (files("midrise.topology") / "templates" / "gateway" / template).read_text("utf-8")
    return _PLACEHOLDER.sub(lambda place: _indented(values[place["name"]], place["indent"]), text)


def _indented(text: str, indent: str) -> str:
    return "\n".join(indent + line if line else line for line in text.split("\n"))
