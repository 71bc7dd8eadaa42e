"""Errors as clients see them: one format, RFC 9457, from every layer and in the client's language."""

from typing import Any, cast

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from midrise.foundation.errors import (
    AppError,
    Fault,
    InternalError,
    Malformed,
    NotFound,
    PreconditionFailed,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from midrise.foundation.http.asgi import Scope, header_of
from midrise.foundation.http.errors import MethodNotAllowed, UnsupportedMediaType, status_of
from midrise.foundation.http.options import allow_header
from midrise.foundation.http.parameters import parameter_error
from midrise.foundation.localization import Language, error_texts, fault_text, negotiate

PROBLEM_JSON = "application/problem+json"

log = structlog.get_logger()


class FaultShown(msgspec.Struct, omit_defaults=True):
    """One thing that is wrong with a request, and where: `pointer`, `parameter` or `header`."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None


class Problem(msgspec.Struct, omit_defaults=True):
    """An error (RFC 9457). `code` is stable; `title` and `detail` follow `Accept-Language`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    request_id: str
    errors: list[FaultShown] | None = None


def problem_of(error: AppError, *, path: str, request_id: str, language: Language) -> Problem:
    """The error as its body."""
    texts = error_texts(error, language)
    return Problem(
        type=f"/errors/{error.code}",
        title=texts.title,
        status=status_of(type(error)),
        detail=texts.detail,
        code=error.code,
        instance=path,
        request_id=request_id,
        errors=[_shown(fault, language) for fault in error.faults] or None,
    )


def problem_bytes(error: AppError, scope: Scope) -> bytes:
    """The body of the error, as the answer to the request of this ASGI scope."""
    problem = problem_of(
        error,
        path=scope["path"],
        request_id=scope["state"].get("request_id", ""),
        language=negotiate(header_of(scope, b"accept-language")),
    )
    return msgspec.json.encode(problem)


def problem_headers(error: AppError) -> dict[str, str]:
    """The headers that belong to the error."""
    headers = {"content-type": PROBLEM_JSON, "cache-control": "no-store", "vary": "Accept-Language"}
    match error:
        case Unauthenticated():
            # RFC 6750, section 3.1: a client whose token was refused knows that it must get another one.
            refused = ', error="invalid_token"' if error.credential_refused else ""
            headers["www-authenticate"] = f'Bearer realm="midrise"{refused}'
        case TooMany() | Unavailable():
            headers["retry-after"] = str(error.retry_after_seconds)
        case PreconditionFailed():
            headers["etag"] = f'"{error.current_version}"'
        case MethodNotAllowed():
            headers["allow"] = error.allowed
        case UnsupportedMediaType():
            name = "accept-patch" if "merge-patch" in error.accepted else "accept-post"
            headers[name] = error.accepted
    return headers


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's handler of every exception."""
    known = as_app_error(error, request)
    request.scope["state"]["error"] = known
    if isinstance(known, InternalError):
        log.error("request.failed", exc_info=error)
    return Response(
        problem_bytes(known, cast("Scope", request.scope)),
        status_code=status_of(type(known)),
        headers=problem_headers(known),
        media_type=PROBLEM_JSON,
    )


def as_app_error(error: Exception, request: Request[Any, Any, Any]) -> AppError:
    """The application's error for any exception; `InternalError` for one that nobody foresaw."""
    match error:
        case AppError():
            return error
        case ValidationException():
            return parameter_error(error, request.scope["route_handler"])
        case NotFoundException():
            return NotFound()
        case MethodNotAllowedException():
            return MethodNotAllowed(allow_header((error.headers or {}).get("allow", "").split(", ")))
        case ClientException() | HTTPException(status_code=400):
            return Malformed()
    return InternalError()


def _shown(fault: Fault, language: Language) -> FaultShown:
    return FaultShown(
        code=fault.code,
        detail=fault_text(fault, language),
        pointer=fault.pointer,
        parameter=fault.parameter,
        header=fault.header,
    )
