"""What the database says when it refuses, and what a caller is told of it.

A violated constraint becomes the error that modules registered under its name. Known trouble of operation
(connections, locks, time-outs, a full disk) becomes `Unavailable`. Anything else is a bug and stays what it is.
"""

from collections.abc import Callable, Mapping

import asyncpg

from midrise.foundation.errors import AppError, Unavailable

ConstraintErrors = Mapping[str, Callable[[], AppError]]
"""The error that each named constraint stands for."""


class OutcomeUnknown(Unavailable):
    """The connection to the database broke while a change was being committed, or the change was still under
    way when there was no more time to wait for it: it may be there or not. Look, or repeat the call with its
    `Idempotency-Key`."""

    code = "outcome_unknown"
    title = "Whether the change was made is not known"


CONNECTION_TROUBLE = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # its state machine met the farewell of a server that is going down
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""The connection is gone, or none could be made: another one may do."""

_LOST_PRIMARY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,  # 25006: it follows another one now
)

REPEATABLE_TROUBLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
"""The whole unit of work was rolled back for the sake of another: it may be run again."""

REPLICA_TROUBLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
"""How a replica gives up a read that stands against what it must replay (recovery conflicts)."""

_OTHER_TROUBLE = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
)


class OldPrimary(ConnectionError):
    """A connection that was to lead to the primary leads to a server that is it no more."""


def tells_of_lost_primary(trouble: BaseException | None) -> bool:
    """Whether what failed on the primary may mean that another server is it now."""
    return isinstance(trouble, _LOST_PRIMARY) and not isinstance(trouble, TimeoutError)


def told_or_raised(error: BaseException, constraint_errors: ConstraintErrors) -> BaseException:
    """The error to tell the caller; the error itself where it is a bug, without the row that it happened to.

    That row may hold a password's hash, and the error is going to be logged.
    """
    if isinstance(error, asyncpg.PostgresError):
        error.detail = None
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        make_error = constraint_errors.get(error.constraint_name or "")
        return make_error() if make_error else error
    if isinstance(error, CONNECTION_TROUBLE + REPEATABLE_TROUBLE + _OTHER_TROUBLE):
        return Unavailable()
    return error
