"""What the gateway may send twice is done once: the verb of every PUT and DELETE goes through `write_once`."""

import ast
from collections.abc import Iterator
from pathlib import PurePath

import pytest
from tests.architecture.source import SOURCE, FunctionNode, SourceFile, source_files

FILES = {file.place: file for file in source_files(SOURCE)}
REPEATED = {"put", "delete"}


def methods(file: SourceFile) -> Iterator[FunctionNode]:
    classes = (node for node in file.tree.body if isinstance(node, ast.ClassDef))
    return (node for each in classes for node in each.body if isinstance(node, FunctionNode))


def methods_called(node: ast.AST) -> set[str]:
    """The last names of what is called: `products.delete(…)` is `delete`."""
    calls = (each.func for each in ast.walk(node) if isinstance(each, ast.Call))
    return {call.attr for call in calls if isinstance(call, ast.Attribute)}


def verbs_awaited(handler: FunctionNode) -> set[str]:
    awaited = (each.value for each in ast.walk(handler) if isinstance(each, ast.Await))
    return {
        call.func.attr
        for call in awaited
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
    }


def is_repeated(handler: FunctionNode) -> bool:
    names = (each.func for each in handler.decorator_list if isinstance(each, ast.Call))
    return any(isinstance(name, ast.Name) and name.id in REPEATED for name in names)


HANDLERS = [
    pytest.param(place, handler, id=f"{place} {handler.name}")
    for place, file in FILES.items()
    if PurePath(place).name == "controller.py"
    for handler in methods(file)
    if is_repeated(handler)
]


def test_there_are_some():
    assert len(HANDLERS) >= 4


@pytest.mark.parametrize(("place", "handler"), HANDLERS)
def test_a_put_or_delete_is_done_once(place, handler):
    service = FILES[str(PurePath(place).with_name("service.py"))]
    called = {method.name: methods_called(method) for method in methods(service)}
    verbs = verbs_awaited(handler) & called.keys()
    assert verbs, "the handler calls no verb of its service"
    for verb in verbs:
        reached = set().union(called[verb], *(called[name] for name in called[verb] & called.keys()))
        assert "write_once" in reached, f"{verb} would be done twice when the gateway sends it twice"
