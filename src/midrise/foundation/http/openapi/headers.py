"""The headers of answers."""

from collections.abc import Mapping
from typing import Any

_TEXT = {"type": "string"}

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Accept-Patch": {
        "description": "The content types that the call takes",
        "schema": _TEXT,
        "example": "application/merge-patch+json, application/json",
    },
    "Accept-Post": {
        "description": "The content types that the call takes",
        "schema": _TEXT,
        "example": "application/json",
    },
    "Consistency-Token": {
        "description": "What this answer has seen; send it with the next request, never to see an older state",
        "schema": _TEXT,
        "example": "Qm9uZ29Eb21lQ29uc2lzdGVudGx5QW5kRm9yZXZlcg",
    },
    "ETag": {
        "description": "The version of the resource, for `If-Match` and `If-None-Match`",
        "schema": _TEXT,
        "example": '"3"',
    },
    "Idempotency-Replayed": {
        "description": "`true` where an earlier answer is given again",
        "schema": {"type": "string", "enum": ["true"]},
        "example": "true",
    },
    "Link": {
        "description": "The next page (RFC 8288); left out on the last one",
        "schema": _TEXT,
        "example": '</v1/products?cursor=kX3f>; rel="next"',
    },
    "Location": {
        "description": "Where the new resource is",
        "schema": {"type": "string", "format": "uri-reference"},
        "example": "/v1/products/0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21",
    },
    "RateLimit": {
        "description": "`r` requests are left; `t` is the seconds until the full quota is back",
        "schema": _TEXT,
        "example": '"default";r=599;t=1',
    },
    "RateLimit-Policy": {
        "description": "The quota: `q` requests in `w` seconds",
        "schema": _TEXT,
        "example": '"default";q=600;w=60',
    },
    "Retry-After": {
        "description": "In how many seconds to try again",
        "schema": {"type": "integer", "minimum": 0},
        "example": 30,
    },
    "WWW-Authenticate": {
        "description": "How to authenticate",
        "schema": _TEXT,
        "example": 'Bearer realm="midrise"',
    },
    "X-Request-ID": {
        "description": "The id of this request: the client's own, or a new one",
        "schema": {"type": "string", "maxLength": 128, "pattern": "^[A-Za-z0-9._-]+$"},
        "example": "0198a2b47c1d7e339f102b6d5a4c3e21",
    },
}


def headers(*names: str, is_versioned: bool) -> dict[str, Any]:
    """References to the named headers and to those that every answer of the kind carries."""
    wanted = [
        *names,
        "X-Request-ID",
        *(["Consistency-Token", "RateLimit", "RateLimit-Policy"] if is_versioned else []),
    ]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in wanted}
