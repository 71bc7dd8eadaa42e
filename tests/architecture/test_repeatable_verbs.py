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


def injected(annotation: ast.expr | None, aliases: dict[str, ast.expr]) -> str | None:
    """The class in `Injected[…]`, which may have a name of its own."""
    if isinstance(annotation, ast.Name):
        annotation = aliases.get(annotation.id)
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Name):
        return annotation.slice.id
    return None


def verbs_awaited(handler: FunctionNode, file: SourceFile) -> set[tuple[str, str]]:
    """What is awaited of the services that are given: `await products.delete(…)` is `Products`, `delete`."""
    aliases = {
        node.targets[0].id: node.value
        for node in file.tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    given = {
        each.arg: service
        for each in handler.args.args
        if (service := injected(each.annotation, aliases)) is not None
    }
    awaited = (each.value for each in ast.walk(handler) if isinstance(each, ast.Await))
    calls = (call.func for call in awaited if isinstance(call, ast.Call))
    return {
        (given[call.value.id], call.attr)
        for call in calls
        if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id in given
    }


def verbs_of(service: str) -> dict[str, set[str]]:
    """The methods of a service, each with the methods that it calls."""
    classes = [
        node
        for place, file in FILES.items()
        if PurePath(place).name == "service.py"
        for node in file.tree.body
        if isinstance(node, ast.ClassDef) and node.name == service
    ]
    assert len(classes) == 1, f"{service} is the class of {len(classes)} services"
    return {each.name: methods_called(each) for each in classes[0].body if isinstance(each, FunctionNode)}


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
    verbs = verbs_awaited(handler, FILES[place])
    assert verbs, "the handler calls no verb of a service"
    for service, verb in verbs:
        called = verbs_of(service)
        reached = set().union(called[verb], *(called[name] for name in called[verb] & called.keys()))
        assert "write_once" in reached, f"{verb} would be done twice when the gateway sends it twice"
