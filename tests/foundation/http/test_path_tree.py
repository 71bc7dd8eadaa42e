"""A path leads to what stands behind it, as the framework would find it."""

import pytest

from midrise.foundation.http.path_tree import PathTree


@pytest.fixture
def tree():
    tree = PathTree[str]()
    tree.add(["things"], "list")
    tree.add(["things", None], "one")
    tree.add(["things", "by-name", None], "named")
    tree.add([], "root")
    return tree


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/things", ("list", [])),
        ("/things/7", ("one", ["7"])),
        ("/things/by-name/mug", ("named", ["mug"])),
    ],
)
def test_what_is_spelt_out_goes_before_a_parameter(tree, path, found):
    assert tree.find(path) == found


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "things", "xthings", "//things", "/things/", "/things//7", "/things/7/", "/things/7/8"),
        *("/things/by-name", "/things/by-name/", "/things/a\0b", "/Things", "/other"),
    ],
)
def test_what_the_framework_reads_otherwise_is_left_to_it(tree, path):
    assert tree.find(path) is None
