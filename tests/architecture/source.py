"""The source as the tests of the architecture read it: parsed, never imported."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "midrise"
TESTS = ROOT / "tests"

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    """A file of Python; ``place`` is its path from the folder it was looked for in."""

    place: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def functions(self) -> Iterator[tuple[str, int]]:
        """Each function's place and its number of lines."""
        for node in ast.walk(self.tree):
            if isinstance(node, FunctionNode):
                yield f"{self.place}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1

    def classes(self) -> Iterator[str]:
        return (node.name for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))

    def uses(self, *names: str) -> Iterator[str]:
        """Where one of the dotted names is read, called or imported: ``os.environ``, ``*.commit``."""
        for node in ast.walk(self.tree):
            for name in _names(node):
                if name in names or f"*.{name.rpartition('.')[2]}" in names:
                    yield f"{self.place}:{getattr(node, 'lineno', 0)} {name}"


@cache
def source_files(folder: Path) -> list[SourceFile]:
    """Every file of Python in a folder and those below it."""
    return [
        SourceFile(str(path.relative_to(folder)), path.read_text(encoding="utf-8"))
        for path in sorted(folder.rglob("*.py"))
    ]


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Attribute):
        yield _dotted(node)


def _dotted(node: ast.expr) -> str:
    """``a.b.c``; what stands before the dots and is no name is left out."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""
