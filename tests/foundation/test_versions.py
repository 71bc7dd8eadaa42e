"""A change says for which version it is meant."""

import pytest

from midrise.foundation.errors import PreconditionFailed
from midrise.foundation.versions import Expected


@pytest.mark.parametrize(
    "versions", [None, ("*",), ("7",), ("7.1",), ("7.99",), ("1", "7"), ("1", "*")], ids=str
)
def test_a_change_of_the_present_version_passes(versions):
    Expected(versions).check("7", current="7.1")


@pytest.mark.parametrize("versions", [("6",), ("6.7",), ("77",), ("",), (".7",), ("1", "2"), ()], ids=str)
def test_another_is_refused_with_the_present_tag(versions):
    with pytest.raises(PreconditionFailed) as refused:
        Expected(versions).check("7", current="7.1")
    assert refused.value.current_version == "7.1"
