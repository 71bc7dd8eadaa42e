"""The ids of a request, by two of its headers."""

import re
from collections.abc import Iterable

from midrise.foundation.ids import new_id_hex
from midrise.foundation.observability.logs import RequestIds

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def ids_of(request_id: bytes, traceparent: bytes) -> RequestIds:
    """Those of a request by its `X-Request-ID`, and its `traceparent` (W3C Trace Context).

    Of an id that is missing or can't be used, another one is made; of a trace, an empty text.
    """
    said = _REQUEST_ID.fullmatch(request_id)
    trace = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return RequestIds(
        said[0].decode("ascii") if said else new_id_hex(), trace[1].decode("ascii") if trace else ""
    )


def ids_of_headers(headers: Iterable[tuple[bytes, bytes]]) -> RequestIds:
    """Of headers that were sent twice, the first id that can be used counts, and the last trace."""
    request_id, traceparent = b"", b""
    for name, value in headers:
        if name == b"x-request-id" and not request_id and _REQUEST_ID.fullmatch(value):
            request_id = value
        elif name == b"traceparent" and _TRACEPARENT.fullmatch(value):
            traceparent = value
    return ids_of(request_id, traceparent)
