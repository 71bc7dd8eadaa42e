"""Entity tags and what clients ask of them (RFC 9110, sections 8.8.3 and 13.1)."""

import re
from typing import Annotated, TypeVar, cast

import msgspec
from litestar import Response
from litestar.params import HeaderParameter

from midrise.foundation.errors import Fault, FaultCode, InvalidParameters
from midrise.foundation.http.plain_answer import PlainAnswer
from midrise.foundation.versions import Expected

Shown = TypeVar("Shown")

LONGEST_IF_NONE_MATCH = 1000
"""Characters; a longer one is refused."""

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", max_length=1000, description="The ETag that the change is for; a stale one is 412"
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        max_length=LONGEST_IF_NONE_MATCH,
        description="The ETag that is known; the same is 304",
    ),
]

_EMPTY_MEMBER = re.compile(r"[ \t]*(?:,|$)")
_TAG = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')


def expected(if_match: str | None) -> Expected:
    """What `If-Match` asks for. A weak tag is read as a strong one: only the gateway's compression weakens.

    Raises `InvalidParameters` for what is no list of tags.
    """
    if if_match is None:
        return Expected()
    tags = _tags(if_match)
    if not tags:
        raise InvalidParameters(
            [
                Fault(
                    FaultCode.WRONG_FORMAT, header="If-Match", arguments={"expected": "an ETag in quotes, or *"}
                )
            ]
        )
    return Expected(tags)


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Whether the client has the state that the tag (without quotes) stands for."""
    if if_none_match is None:
        return False
    if if_none_match == quoted(tag):
        return True
    known = _tags(if_none_match)
    return tag in known or "*" in known


def quoted(tag: str) -> str:
    return f'"{tag}"'


def _tags(header: str) -> tuple[str, ...]:
    if header.strip() == "*":
        return ("*",)
    tags: list[str] = []
    position = 0
    while position < len(header):
        match = _TAG.match(header, position)
        if match is None:
            # An empty member of a list counts for nothing (RFC 9110, section 5.6.1).
            empty = _EMPTY_MEMBER.match(header, position)
            if empty is None:
                return ()
            position = empty.end()
            continue
        tags.append(match[1])
        position = match.end()
    return tuple(tags)


def resource_answer(
    shown: Shown,
    *,
    tag: str,
    if_none_match: str | None = None,
    status_code: int = 200,
    location: str | None = None,
    cache_control: str = "no-store",
) -> Response[Shown]:
    """A resource as the answer, with its ETag; 304 and no body where the client has it already.

    Who may keep it is said by ``cache_control``: nobody, unless it is nothing personal.
    """
    headers = {"etag": quoted(tag), "cache-control": cache_control}
    if is_known(if_none_match, tag):
        return cast("Response[Shown]", Response(None, status_code=304, headers=headers))
    if location is not None:
        headers["location"] = location
    kind = PlainAnswer if isinstance(shown, msgspec.Struct) else Response
    return kind(shown, status_code=status_code, headers=headers)
