"""Errors have a code of their own, words for people, and nothing of HTTP."""

import string

import pytest

from midrise.foundation import errors
from midrise.foundation.errors import FAULT_DETAILS, AppError, Fault, FaultCode
from midrise.foundation.http import errors as transport
from midrise.foundation.http.errors import STATUS_OF_KIND, status_of
from midrise.modules import installed_modules


def every_error() -> list[type[AppError]]:
    installed_modules()
    found: list[type[AppError]] = []
    waiting = [AppError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("midrise.") and "code" in vars(kind):
            found.append(kind)
    return sorted(found, key=lambda kind: kind.code)


EVERY_ERROR = every_error()


def test_no_two_errors_share_a_code():
    codes = [kind.code for kind in EVERY_ERROR]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", EVERY_ERROR, ids=lambda kind: kind.code)
def test_an_error_has_its_words(kind):
    assert set(kind.code) <= {*string.ascii_lowercase, "_"}
    assert kind.title
    assert not kind.title.endswith(".")
    assert kind.detail
    assert (kind.__doc__ or "").rstrip().endswith((".", "`"))


@pytest.mark.parametrize("kind", EVERY_ERROR, ids=lambda kind: kind.code)
def test_an_error_has_a_status_of_trouble(kind):
    assert 400 <= status_of(kind) < 600


def test_every_kind_has_its_own_status():
    assert len(set(STATUS_OF_KIND.values())) == len(STATUS_OF_KIND)


def test_the_nearest_kind_decides():
    class Narrow(errors.RateLimited):
        """Narrower still."""

    assert status_of(Narrow) == 429
    assert status_of(errors.InvalidCursor) == 400
    assert status_of(AppError) == 500


def test_a_detail_is_told_with_its_arguments():
    assert str(errors.NotFound("product")) == "There is no such product"
    assert str(errors.TooMany(7)) == "Come back in 7 s"
    assert str(transport.UnsupportedMediaType("text/csv")) == "The body must be text/csv"


def test_one_and_several_are_told_apart():
    fault = Fault(FaultCode.MISSING, pointer="/name")
    assert str(errors.Invalid([fault])) == "1 field is not valid"
    assert str(errors.Invalid([fault, fault])) == "2 fields are not valid"
    assert str(errors.InvalidParameters([fault])) == "1 parameter is not valid"


def test_every_fault_has_its_words():
    assert set(FAULT_DETAILS) == set(FaultCode)


def test_an_error_keeps_its_faults():
    fault = Fault(FaultCode.MISSING, pointer="/name")
    assert errors.Invalid([fault]).faults == (fault,)
    assert errors.NotFound().faults == ()


def test_the_tree_in_the_docstring_names_every_kind():
    drawn = errors.__doc__ or ""
    kinds = [kind for kind in AppError.__subclasses__() if kind.__module__ == errors.__name__]
    assert [kind.__name__ for kind in kinds if kind.__name__ not in drawn] == []
