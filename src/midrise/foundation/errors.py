"""The errors an operation can end with, and nothing of how a client gets to see them.

AppError                     anything that a caller is told about
├── Malformed                what came can't be parsed or isn't a parameter of the call
├── Invalid                  it parses, but a rule of the field is broken; names every field
├── Unauthenticated          nobody known is calling
│   └── (modules)            InvalidCredentials, TokenReused, …
├── Forbidden                known, but may not do this
│   └── LogInNeeded          a program calls what only a person may
├── NotFound                 doesn't exist, or the caller may not know that it does
├── Conflict                 what is stored stands against it
│   └── (modules)            EmailTaken, SkuTaken, LastAdministrator, …
├── PreconditionFailed       the version that the caller knew is not the present one
├── TooMany                  over a limit; says when to come back
│   └── RateLimited          the caller's requests in a time
├── Unavailable              a floor below is away; says when to come back
└── InternalError            a bug: the log has it, the caller learns nothing

A class is one kind of trouble. Its ``code`` is what clients program against and never changes; its docstring
is what ``GET /errors/{code}`` tells a person; ``title`` and ``detail`` are the English texts, with the
arguments of the instance between braces. Other languages stand in ``locales/``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar


class FaultCode(StrEnum):
    """What can be wrong with one field or parameter: a closed list that clients may switch on."""

    MISSING = "missing"
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_PARAMETER = "unknown_parameter"
    REPEATED = "repeated"
    WRONG_TYPE = "wrong_type"
    WRONG_FORMAT = "wrong_format"
    NOT_ALLOWED = "not_allowed"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    NUL_CHARACTER = "nul_character"
    UNKNOWN_REFERENCE = "unknown_reference"
    ALREADY_USED = "already_used"
    UNKNOWN_CURRENCY = "unknown_currency"
    PASSWORD_TOO_WEAK = "password_too_weak"  # noqa: S105  a code, no password
    WRONG_PASSWORD = "wrong_password"  # noqa: S105  a code, no password
    WRONG_OTP = "wrong_otp"
    IN_THE_PAST = "in_the_past"
    WRONG_TOKEN = "wrong_token"  # noqa: S105  a code, no token
    INVALID_CURSOR = "invalid_cursor"
    INVALID_CONSISTENCY_TOKEN = "invalid_consistency_token"  # noqa: S105  a code, no token


FAULT_DETAILS: Mapping[FaultCode, str] = {
    FaultCode.MISSING: "is required",
    FaultCode.UNKNOWN_FIELD: "is not a field of this body",
    FaultCode.UNKNOWN_PARAMETER: "is not a parameter of this call",
    FaultCode.REPEATED: "stands more than once",
    FaultCode.WRONG_TYPE: "must be {expected}, not {got}",
    FaultCode.WRONG_FORMAT: "must be {expected}",
    FaultCode.NOT_ALLOWED: "must be one of: {allowed}",
    FaultCode.TOO_SMALL: "must be {limit} or more",
    FaultCode.TOO_LARGE: "must be {limit} or less",
    FaultCode.TOO_SHORT: "must be at least {limit} long",
    FaultCode.TOO_LONG: "must be at most {limit} long",
    FaultCode.NUL_CHARACTER: "must not hold the NUL character",
    FaultCode.UNKNOWN_REFERENCE: "names what does not exist: {value}",
    FaultCode.ALREADY_USED: "was used for something else",
    FaultCode.UNKNOWN_CURRENCY: "is not a currency code of ISO 4217",
    FaultCode.PASSWORD_TOO_WEAK: "is too easy to guess: {reason}",
    FaultCode.WRONG_PASSWORD: "is not the present password",
    FaultCode.WRONG_OTP: "is wrong or was used before",
    FaultCode.IN_THE_PAST: "must be in the future",
    FaultCode.WRONG_TOKEN: "is wrong, was used, or has expired",
    FaultCode.INVALID_CURSOR: "is not a cursor of this query",
    FaultCode.INVALID_CONSISTENCY_TOKEN: "is not a token that this service gave out",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request, and where.

    Exactly one of the places is set: ``pointer`` is a JSON Pointer (RFC 6901) into the body, ``parameter`` the
    name of a query or path parameter, ``header`` that of a header.
    """

    code: FaultCode
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    arguments: Mapping[str, object] = field(default_factory=dict)


class AppError(Exception):
    """Something went wrong that a caller is told about."""

    code: ClassVar[str]
    title: ClassVar[str]
    detail: ClassVar[str]
    detail_of_one: ClassVar[str] = ""
    """The English detail where the argument ``count`` is 1, if it reads otherwise then."""

    def __init__(self, *, faults: Sequence[Fault] = (), **arguments: object) -> None:
        self.faults = tuple(faults)
        self.arguments = arguments
        super().__init__(self.english_detail().format(**arguments))

    def english_detail(self) -> str:
        """The English text with its places for the arguments."""
        return self.detail_of_one if self.arguments.get("count") == 1 and self.detail_of_one else self.detail


class Malformed(AppError):
    """The request could not be read: it is not what its content type says, or a parameter is wrong."""

    code = "bad_request"
    title = "The request can't be read"
    detail = "{reason}"

    def __init__(self, reason: str = "The request can't be read", *, faults: Sequence[Fault] = ()) -> None:
        super().__init__(faults=faults, reason=reason)


class InvalidParameters(Malformed):
    """One or more parameters of the call are unknown, missing or out of their bounds; `errors` names each."""

    code = "invalid_parameters"
    title = "The parameters are not valid"
    detail = "{count} parameters are not valid"
    detail_of_one = "{count} parameter is not valid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        AppError.__init__(self, faults=faults, count=len(faults))


class UnknownParameter(InvalidParameters):
    """The call has a query parameter that it doesn't know; `errors` names it."""

    code = "unknown_parameter"
    title = "The call does not know this parameter"


class InvalidCursor(InvalidParameters):
    """The cursor was changed, or belongs to another query: start the list again without it."""

    code = "invalid_cursor"
    title = "The cursor does not belong to this query"

    def __init__(self) -> None:
        super().__init__([Fault(FaultCode.INVALID_CURSOR, parameter="cursor")])


class Invalid(AppError):
    """The request can be read, but fields of it break a rule; `errors` names every one of them."""

    code = "validation_failed"
    title = "The request is not valid"
    detail = "{count} fields are not valid"
    detail_of_one = "{count} field is not valid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults=faults, count=len(faults))


class Unauthenticated(AppError):
    """The call needs a caller, and there is none: no token, an expired one, or one that was revoked."""

    code = "unauthenticated"
    title = "Nobody is logged in"
    detail = "A valid access token or API key is needed"
    credential_refused = False
    """Whether something was presented that is no good, rather than nothing."""


class Forbidden(AppError):
    """The caller is known, but lacks the permission that the call needs."""

    code = "forbidden"
    title = "This is not allowed"
    detail = "The permission {permission} is needed"

    def __init__(self, permission: str) -> None:
        super().__init__(permission=permission)


class LogInNeeded(Forbidden):
    """An API key can't do this, whatever it allows: what is a person's own is theirs alone. Log in and call
    with an access token."""

    code = "log_in_needed"
    title = "An API key can't do this"
    detail = "This needs somebody who is logged in, not an API key"

    def __init__(self) -> None:
        AppError.__init__(self)


class NotFound(AppError):
    """What was asked for does not exist, or the caller may not know that it does."""

    code = "not_found"
    title = "Not found"
    detail = "There is no such {resource}"

    def __init__(self, resource: str = "resource") -> None:
        super().__init__(resource=resource)
        self.resource = resource


class Conflict(AppError):
    """What is stored stands against the change."""

    code = "conflict"
    title = "This conflicts with what is stored"
    detail = "What is stored stands against this change"


class PreconditionFailed(AppError):
    """The resource has changed since the caller read it: read it again, then repeat the change."""

    code = "precondition_failed"
    title = "The resource has changed"
    detail = "If-Match does not name the present version"

    def __init__(self, current_version: str) -> None:
        super().__init__()
        self.current_version = current_version


class TooMany(AppError):
    """A limit was reached; `Retry-After` says in how many seconds to come back."""

    code = "too_many"
    title = "Too many"
    detail = "Come back in {retry_after_seconds} s"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class RateLimited(TooMany):
    """The caller sent more requests than its limit allows; `Retry-After` says in how many seconds to return."""

    code = "rate_limited"
    title = "Too many requests"


class Unavailable(AppError):
    """The service can't answer right now; nothing was changed, and `Retry-After` says when to try again."""

    code = "unavailable"
    title = "The service can't answer right now"
    detail = "Try again in {retry_after_seconds} s"

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__(retry_after_seconds=retry_after_seconds)
        self.retry_after_seconds = retry_after_seconds


class InternalError(AppError):
    """The service failed; the fault is not the caller's, and the log has it under the request id."""

    code = "internal_error"
    title = "The service failed"
    detail = "The fault is on our side; it is logged under the request id"
