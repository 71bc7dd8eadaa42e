"""The calls that are measured: what is sent, what must come back, and what it may cost."""

import itertools
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from house import PASSWORD

LIST = "/v1/products?limit=20"
QUERY_BY_ID = "asyncpg, a product by id"
QUERY_LIST = "asyncpg, a list of 20 by price"


@dataclass(frozen=True, slots=True)
class Target:
    """At most so many times a bare answer, and for what asks the database so many times a bare query more."""

    bare_answers: float
    queries: float = 0.0
    query: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call. ``requests`` gives what to send from now on, without an end.

    ``includes_hash`` marks the call that also hashes a password, whose cost is taken off.
    """

    name: str
    target: Target
    requests: Callable[[], Iterator[bytes]]
    expected_status: int = 200
    includes_hash: bool = False

    def bare(self, body_bytes: int) -> Iterator[bytes]:
        """The same request, for the bare server: it answers with that status and so many bytes."""
        method, _, rest = next(self.requests()).split(b" ", 2)
        path = f"/{self.expected_status}/{body_bytes}".encode()
        return itertools.repeat(b" ".join([method, path, rest]))


@dataclass(frozen=True, slots=True)
class Goods:
    """What the calls are about: products that all may see, accounts, and what has to be asked for first."""

    product_ids: Sequence[str]
    emails: Sequence[str]
    token: str
    administrator_token: str
    list_tag: Callable[[], str | None]


def calls(goods: Goods) -> list[Call]:
    """Every call of the table. Cached means: the same again and again; not cached: another one each time."""
    by_id, listed = Target(4, 1.3, QUERY_BY_ID), Target(4, 1.3, QUERY_LIST)
    return [
        Call("GET /v1/me, cached", Target(2.5), _same(get("/v1/me", _bearer(goods.token)))),
        Call("GET /v1/products/{id}, cached", Target(2), _same(get(f"/v1/products/{goods.product_ids[0]}"))),
        Call(f"GET {LIST}, cached", Target(2.5), _same(get(LIST))),
        Call(f"GET {LIST}, If-None-Match", Target(2), _revalidations(goods.list_tag), expected_status=304),
        Call("GET /v1/products/{id}, not cached", by_id, _ongoing(_pages(goods.product_ids))),
        Call(f"GET {LIST}&sort=-price, not cached", listed, _ongoing(_lists())),
        Call(
            "POST /v1/products",
            Target(20),
            _ongoing(_new_products(goods.administrator_token)),
            expected_status=201,
        ),
        Call(
            "POST /v1/auth/login, less the hash",
            Target(20),
            _ongoing(_log_ins(goods.emails)),
            includes_hash=True,
        ),
    ]


def _same(request: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: itertools.repeat(request)


def _ongoing(requests: Iterator[bytes]) -> Callable[[], Iterator[bytes]]:
    """Goes on where it stopped, so that no request comes twice."""
    return lambda: requests


def _revalidations(list_tag: Callable[[], str | None]) -> Callable[[], Iterator[bytes]]:
    """With the tag that the list has now; nothing to send while lists have none."""

    def requests() -> Iterator[bytes]:
        tag = list_tag()
        return itertools.repeat(get(LIST, {"If-None-Match": tag})) if tag else iter(())

    return requests


def _pages(product_ids: Sequence[str]) -> Iterator[bytes]:
    for product_id in itertools.cycle(product_ids):
        yield get(f"/v1/products/{product_id}")


def _lists() -> Iterator[bytes]:
    for number in itertools.count(1):
        yield get(f"{LIST}&sort=-price&price_min={number}")


def _new_products(token: str) -> Iterator[bytes]:
    run = secrets.token_hex(4)
    for number in itertools.count():
        product = {
            "sku": f"BENCH-{run}-{number}",
            "name": f"Blue mug {run} {number}",
            "status": "active",
            "description": "Fired twice, glazed by hand, holds a third of a litre.",
            "price": {"amount": 1999, "currency": "BDT"},
            "attributes": {"colour": "blue", "volume_ml": 350},
        }
        yield _post("/v1/products", product, _bearer(token) | {"Idempotency-Key": f"{run}-{number:024}"})


def _log_ins(emails: Sequence[str]) -> Iterator[bytes]:
    for email in itertools.cycle(emails):
        yield _post("/v1/auth/login", {"email": email, "password": PASSWORD})


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def get(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A request as it goes over the line."""
    return _request("GET", path, headers or {})


def _post(path: str, body: object, headers: Mapping[str, str] | None = None) -> bytes:
    return _request("POST", path, headers or {}, body=json.dumps(body).encode())


def _request(method: str, path: str, headers: Mapping[str, str], *, body: bytes = b"") -> bytes:
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1:8080",
        "X-Forwarded-For: 127.0.0.1",
        "Accept: application/json",
        *(f"{name}: {text}" for name, text in headers.items()),
        *(["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
