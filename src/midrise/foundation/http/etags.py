"""Entity tags and what clients ask of them (RFC 9110, sections 8.8.3 and 13.1)."""

import re
from dataclasses import dataclass
from typing import Annotated

from litestar.params import Parameter

from midrise.foundation.errors import Fault, FaultCode, InvalidParameters, PreconditionFailed

IfMatch = Annotated[
    str | None,
    Parameter(
        header="If-Match", max_length=1000, description="The ETag that the change is for; a stale one is 412"
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Parameter(header="If-None-Match", max_length=1000, description="The ETag that is known; the same is 304"),
]

_TAG = re.compile(r'\s*(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Expected:
    """The versions of a resource that a change is meant for; None of them named means whatever is there."""

    versions: tuple[str, ...] | None = None

    def check(self, version: str, *, current: str) -> None:
        """Raises `PreconditionFailed` where the version is not among those expected.

        ``current`` is the whole tag of the present state, for the answer.
        """
        if self.versions is None or "*" in self.versions:
            return
        # Of a tag of two parts ("version.stock_version") the first decides.
        if version not in {tag.partition(".")[0] for tag in self.versions}:
            raise PreconditionFailed(current)


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
            return ()
        tags.append(match[1])
        position = match.end()
    return tuple(tags)
