"""Errors of the transport itself, and the one table that turns kinds of error into HTTP status codes.

Nothing of a web framework is imported here: the gateway's error pages are made from the same classes.
"""

from collections.abc import Mapping

from midrise.foundation.errors import (
    AppError,
    Conflict,
    Forbidden,
    InternalError,
    Invalid,
    Malformed,
    NotFound,
    PreconditionFailed,
    TooMany,
    Unauthenticated,
    Unavailable,
)


class TransportError(AppError):
    """The request was refused before anything of the application saw it."""


class MethodNotAllowed(TransportError):
    """The path exists, but not with this method; `Allow` names the ones it has."""

    code = "method_not_allowed"
    title = "The method is not allowed"
    detail = "This path does not take this method"

    def __init__(self, allowed: str = "") -> None:
        super().__init__()
        self.allowed = allowed


class RequestTimeout(TransportError):
    """The request took too long to arrive."""

    code = "request_timeout"
    title = "The request came too slowly"
    detail = "The request did not arrive in time"


class BodyBrokenOff(Malformed):
    """The client went away before all of its body was there. Nobody reads the answer."""


class PayloadTooLarge(TransportError):
    """The body is larger than the call takes: 1 MiB, 256 MiB for imports."""

    code = "payload_too_large"
    title = "The body is too large"
    detail = "The body is larger than this call takes"


class UriTooLong(TransportError):
    """The address of the call is longer than the service reads."""

    code = "uri_too_long"
    title = "The address is too long"
    detail = "The address is longer than the service reads"


class UnsupportedMediaType(TransportError):
    """The body is of a type that the call doesn't take; `Accept-Post` or `Accept-Patch` name those it does."""

    code = "unsupported_media_type"
    title = "The content type is not supported"
    detail = "The body must be {accepted}"

    def __init__(self, accepted: str, *, is_encoded: bool = False) -> None:
        # No call takes what is compressed, or otherwise encoded, whatever its type.
        super().__init__(accepted=f"{accepted}, without a Content-Encoding" if is_encoded else accepted)
        self.accepted = accepted


class HeadersTooLarge(TransportError):
    """The headers of the request are larger than the service reads."""

    code = "headers_too_large"
    title = "The headers are too large"
    detail = "The headers are larger than the service reads"


class NotImplementedByGateway(TransportError):
    """The request asks for something that the gateway doesn't do, such as an unknown transfer coding."""

    code = "not_implemented"
    title = "Not implemented"
    detail = "The service does not do what the request asks for"


class BadGateway(TransportError):
    """The service broke off while it answered. A POST or PATCH may have been carried out: repeat it with its
    Idempotency-Key, or look first."""

    code = "bad_gateway"
    title = "The service broke off"
    detail = "The service broke off before it had answered"


class GatewayTimeout(TransportError):
    """The service took too long to answer. A POST or PATCH may have been carried out: repeat it with its
    Idempotency-Key, or look first."""

    code = "gateway_timeout"
    title = "The service took too long"
    detail = "The service did not answer in time"


class HttpVersionNotSupported(TransportError):
    """The request is of a version of HTTP that the service doesn't speak."""

    code = "http_version_not_supported"
    title = "The HTTP version is not supported"
    detail = "The service speaks HTTP/1.1 and HTTP/2"


STATUS_OF_KIND: Mapping[type[AppError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    MethodNotAllowed: 405,
    RequestTimeout: 408,
    Conflict: 409,
    PreconditionFailed: 412,
    PayloadTooLarge: 413,
    UriTooLong: 414,
    UnsupportedMediaType: 415,
    Invalid: 422,
    TooMany: 429,
    HeadersTooLarge: 431,
    InternalError: 500,
    NotImplementedByGateway: 501,
    BadGateway: 502,
    Unavailable: 503,
    GatewayTimeout: 504,
    HttpVersionNotSupported: 505,
}


def status_of(error: type[AppError]) -> int:
    """The status code of a class of error: that of its nearest kind in the table, 500 where none is."""
    for kind in error.__mro__:
        if kind in STATUS_OF_KIND:
            return STATUS_OF_KIND[kind]
    return 500
