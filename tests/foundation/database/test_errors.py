"""What the database says, and what a caller is told of it."""

import asyncpg
import pytest

from midrise.foundation.database.errors import CONNECTION_TROUBLE, OutcomeUnknown, told_or_raised
from midrise.foundation.errors import Conflict, Unavailable


class NameTaken(Conflict):
    """The name is taken."""

    code = "name_taken"


def violation(constraint: str | None) -> asyncpg.UniqueViolationError:
    error = asyncpg.UniqueViolationError("duplicate key")
    error.constraint_name = constraint
    return error


@pytest.mark.parametrize(
    "trouble",
    [
        OSError("connection refused"),
        TimeoutError(),
        ConnectionResetError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"),
        asyncpg.ConnectionFailureError("08006"),
        asyncpg.AdminShutdownError("57P01"),
        asyncpg.CrashShutdownError("57P02"),
        asyncpg.CannotConnectNowError("57P03"),
        asyncpg.TooManyConnectionsError("53300"),
        asyncpg.IdleInTransactionSessionTimeoutError("25P03"),
        asyncpg.SerializationError("40001"),
        asyncpg.DeadlockDetectedError("40P01"),
        asyncpg.QueryCanceledError("57014"),
        asyncpg.LockNotAvailableError("55P03"),
        asyncpg.DiskFullError("53100"),
        asyncpg.OutOfMemoryError("53200"),
        asyncpg.ReadOnlySQLTransactionError("25006"),
        asyncpg.InvalidPasswordError("28P01"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_trouble_of_operation_is_unavailable(trouble):
    assert type(told_or_raised(trouble, {})) is Unavailable


@pytest.mark.parametrize(
    "bug",
    [
        asyncpg.UndefinedTableError("42P01"),
        asyncpg.PostgresSyntaxError("42601"),
        asyncpg.NotNullViolationError("23502"),
        asyncpg.DataError("invalid input for query argument $1"),
        asyncpg.InsufficientPrivilegeError("42501"),
        KeyError("wanted"),
    ],
    ids=lambda bug: type(bug).__name__,
)
def test_anything_else_stays_what_it_is(bug):
    assert told_or_raised(bug, {"uq_things_name": NameTaken}) is bug


def test_a_constraint_is_the_error_under_its_name():
    told = told_or_raised(violation("uq_things_name"), {"uq_things_name": NameTaken})
    assert type(told) is NameTaken


@pytest.mark.parametrize("constraint", ["uq_things_shelf", "", None])
def test_an_unknown_constraint_is_a_bug(constraint):
    error = violation(constraint)
    assert told_or_raised(error, {"uq_things_name": NameTaken}) is error


def test_an_unknown_outcome_is_told_apart_from_one_where_nothing_happened():
    assert issubclass(OutcomeUnknown, Unavailable)
    assert OutcomeUnknown.code != Unavailable.code


def test_a_wrong_value_is_no_trouble_of_the_connection():
    assert not issubclass(asyncpg.DataError, CONNECTION_TROUBLE)
