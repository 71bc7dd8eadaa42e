"""Finds what stands behind a path, as the framework does: a segment that is spelt out before a parameter."""

from collections.abc import Iterable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class PathTree(Generic[Value]):
    """Paths by their segments."""

    def __init__(self) -> None:
        self._root = _Node[Value]()

    def add(self, segments: Iterable[str | None], value: Value) -> None:
        """A path; None stands for a segment that is a parameter."""
        node = self._root
        for segment in segments:
            if segment is None:
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.children.setdefault(segment, _Node())
        node.value = value

    def find(self, path: str) -> tuple[Value, list[str]] | None:
        """What stands behind the path, and its parameters in their order.

        None also for a path with an empty segment or a NUL in it, of which the framework makes something else.
        """
        node = self._root
        parameters: list[str] = []
        if not path.startswith("/"):
            return None
        for segment in path[1:].split("/"):
            child = node.children.get(segment)
            if child is None:
                child = node.parameter
                if child is None or not segment or "\0" in segment:
                    return None
                parameters.append(segment)
            node = child
        return None if node.value is None else (node.value, parameters)


class _Node(Generic[Value]):
    __slots__ = ("children", "parameter", "value")

    def __init__(self) -> None:
        self.children: dict[str, _Node[Value]] = {}
        self.parameter: _Node[Value] | None = None
        self.value: Value | None = None
