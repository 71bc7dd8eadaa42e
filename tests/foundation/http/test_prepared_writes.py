"""Writes are answered without the framework exactly as they would be with it, message by message."""

from hashlib import sha256
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest
from litestar import Request, Response, delete, patch, post, put
from litestar.background_tasks import BackgroundTask
from litestar.datastructures import Cookie
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, HeaderParameter, JSONBody, QueryParameter, RawBody
from tests.foundation.http.both_ways import TOO_MUCH, Asked, told, with_framework_alone, without_framework
from tests.foundation.http.small_app import PERMISSION, small_app

from midrise.foundation.errors import Conflict, Fault, FaultCode, Invalid
from midrise.foundation.http.accepted import accepted
from midrise.foundation.http.access import ANYONE, KNOWN_CALLER, needs
from midrise.foundation.http.current import CurrentActor
from midrise.foundation.http.etags import IfMatch, expected, resource_answer

pytestmark = pytest.mark.anyio

NUMBER = "0198a2b4-7c1d-7e33-9f10-2b6d5a4c3e21"
DONE_AFTERWARDS: list[str] = []


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent, and shown."""

    name: Annotated[str, msgspec.Meta(max_length=10)]
    size: int = 1


class Broken(Conflict):
    """It is broken."""

    code = "broken"


@post("/things", access=ANYONE)
async def create_thing(
    data: JSONBody[Thing],
    actor: CurrentActor,
    loud: Annotated[bool | None, QueryParameter()] = None,
    word: Annotated[str | None, HeaderParameter(name="X-Word", max_length=3)] = None,
) -> Response[Thing]:
    if data.name == "broken":
        raise Broken
    if data.name == "bug":
        raise ValueError("canary")
    if data.name == "wrong":
        raise Invalid([Fault(FaultCode.TOO_SMALL, pointer="/size", arguments={"limit": 1})])
    read = actor.attempt.fingerprint.hex() if actor.attempt else "-"
    shown = Thing(f"{data.name} {loud} {word} {read}", data.size)
    return resource_answer(shown, tag="1", status_code=201, location=f"/things/{NUMBER}")


@put("/things/{thing_id:uuid}", access=ANYONE)
async def put_thing(
    thing_id: FromPath[UUID], data: JSONBody[Thing], actor: CurrentActor, if_match: IfMatch = None
) -> Thing:
    read = actor.attempt.fingerprint.hex() if actor.attempt else "-"
    return Thing(f"{thing_id} {data.name} {expected(if_match)} {read}")


@patch("/things/{thing_id:uuid}", access=ANYONE)
async def change_thing(thing_id: FromPath[UUID], data: JSONBody[Thing]) -> Response[Thing]:
    return Response(data, headers={"X-Id": str(thing_id)}, status_code=203)


@delete("/things/{thing_id:uuid}", access=ANYONE)
async def delete_thing(thing_id: FromPath[UUID], actor: CurrentActor, if_match: IfMatch = None) -> None:
    if expected(if_match).versions:
        raise Broken


@post("/done", access=ANYONE, status_code=204)
async def do(data: JSONBody[Thing]) -> None: ...


@post("/later", access=ANYONE, status_code=202)
async def do_later(data: JSONBody[Thing]) -> Response[None]:
    return accepted()


@post("/cookies", access=ANYONE)
async def set_cookies(data: JSONBody[Thing]) -> Response[Thing]:
    work = BackgroundTask(DONE_AFTERWARDS.append, data.name)
    return Response(data, cookies=[Cookie("taste", "sweet")], background=work)


@post("/raw", access=ANYONE)
async def take_raw(body: RawBody) -> Response[str]:
    return Response(sha256(body).hexdigest())


@post("/request", access=ANYONE)
async def take_request(request: Request[Any, Any, Any]) -> Response[str]:
    return Response(sha256(await request.body()).hexdigest())


@post("/perhaps", access=ANYONE)
async def take_perhaps(actor: CurrentActor, data: JSONBody[Thing | None] = None) -> Thing:
    return Thing(f"{data} {actor.attempt.fingerprint.hex() if actor.attempt else '-'}")


@post("/things/new", access=ANYONE, status_code=200)
async def create_new() -> Thing:
    return Thing("new")


@post("/drawer", access=needs(PERMISSION))
async def fill_drawer(data: JSONBody[Thing]) -> Thing:
    return data


@delete("/drawer", access=KNOWN_CALLER)
async def empty_drawer() -> None: ...


HANDLERS = (
    *(create_thing, put_thing, change_thing, delete_thing, do, do_later, set_cookies, take_raw, take_request),
    *(take_perhaps, create_new, fill_drawer, empty_drawer),
)

JSON = ("Content-Type", "application/json")
MUG, IN_PIECES = [b'{"name": "mug"}'], [b'{"na', b'me": ', b'"mug"}', b""]
ONE = f"/things/{NUMBER}"
USUAL = [
    Asked("POST", "/things", MUG, [JSON]),
    Asked("POST", "/things?loud=true", MUG, [JSON, ("X-Word", "mug")]),
    Asked("POST", "/things", IN_PIECES, [JSON, ("Transfer-Encoding", "chunked")]),
    Asked("POST", "/things", MUG, [("Content-Type", 'Application/JSON; charset="UTF-8"')]),
    Asked("POST", "/things", MUG, [JSON, ("Idempotency-Key", "order-1")]),
    Asked("POST", "/things", IN_PIECES, [JSON, ("Idempotency-Key", "order-1")]),
    Asked("POST", "/things", [b'{"name": "broken"}'], [JSON]),
    Asked("POST", "/things", [b'{"name": "bug"}'], [JSON]),
    Asked("POST", "/things", [b'{"name": "wrong"}'], [JSON, ("Accept-Language", "bn")]),
    Asked("PUT", ONE, MUG, [JSON, ("If-Match", '"1"')]),
    Asked("PUT", ONE, MUG, [JSON, ("X-Midrise-Gateway-Request", "0" * 32)]),
    Asked("PATCH", ONE, MUG, [("Content-Type", "application/merge-patch+json")]),
    Asked("PATCH", ONE, MUG, [JSON]),
    Asked("DELETE", ONE),
    Asked("DELETE", ONE, headers=[("Content-Length", "0")]),
    Asked("DELETE", ONE, headers=[("If-Match", '"1"'), ("Content-Type", "application/json")]),
    Asked("DELETE", ONE, headers=[("If-Match", "nothing")]),
    Asked("POST", "/done", MUG, [JSON]),
    Asked("POST", "/later", MUG, [JSON]),
    Asked("POST", "/cookies", MUG, [JSON]),
    Asked("POST", "/things/new"),
]
ODD = [
    *(
        Asked("POST", "/things", [body], [JSON])
        for body in (b"", b"{", b"{} x", b"null", b"[]", b"{}", b"\xff")
    ),
    Asked("POST", "/things", [b'{"name": "a\\u0000"}'], [JSON]),
    Asked("POST", "/things", [b'{"name": 1}'], [JSON]),
    Asked("POST", "/things", [b"[" * 100_000], [JSON]),
    Asked("POST", "/things", [b'{"name": "a long name", "weight": 1}'], [JSON]),
    Asked("POST", "/things", [b'{"name": "a long ', b'name", "weight": 1}'], [JSON, ("Idempotency-Key", "k")]),
    Asked("POST", "/things", MUG),
    Asked("POST", "/things", MUG, [("Content-Type", "text/plain")]),
    Asked("POST", "/things", MUG, [("Content-Type", "application/json; charset=latin-1")]),
    Asked("POST", "/things", MUG, [("Content-Type", "application/merge-patch+json")]),
    Asked("POST", "/things", MUG, [JSON, ("Content-Type", "text/plain")]),
    Asked("POST", "/things", MUG, [("Content-Type", "text/plain"), JSON]),
    Asked("POST", "/things", MUG, [JSON, ("Content-Encoding", "gzip")]),
    Asked("POST", "/things", MUG, [JSON, ("Content-Encoding", "identity")]),
    Asked("POST", "/things", MUG, [JSON, ("Content-Length", str(TOO_MUCH + 1))]),
    Asked("POST", "/things", [b" " * TOO_MUCH, b" ", b"{}"], [JSON]),
    Asked("POST", "/things", [b"{" * TOO_MUCH, b"{"], [JSON]),
    Asked("POST", "/things", [b'{"na'], [JSON], breaks_off=True),
    Asked("POST", "/things", MUG, [JSON], breaks_off=True),
    Asked("POST", "/things", [b'{"na'], [JSON, ("Content-Length", "9")], breaks_off=True),
    Asked("POST", "/things", MUG, [JSON, ("Transfer-Encoding", "chunked")], breaks_off=True),
    Asked("POST", "/things", MUG, [JSON, ("X-Word", "long")]),
    Asked("POST", "/things", [b"{"], [JSON, ("X-Word", "long")]),
    Asked("POST", "/things?loud=1&quiet=1", [b"{"], [JSON]),
    Asked("POST", "/things?loud=1", MUG, [JSON]),
    Asked("POST", "/things", MUG, [JSON, ("Host", "bad host")]),
    Asked("POST", "/things", MUG, [JSON, ("Idempotency-Key", "")]),
    Asked("POST", "/things", MUG, [JSON], root_path="/shop"),
    Asked("POST", "/shop/things", MUG, [JSON], root_path="/shop"),
    Asked("POST", "/things/", MUG, [JSON]),
    Asked("POST", "//things", MUG, [JSON]),
    Asked("POST", "/things/\0", MUG, [JSON]),
    Asked("POST", "/nothing", MUG, [JSON]),
    Asked("PUT", "/things/mug", MUG, [JSON]),
    Asked("PUT", "/things/new", MUG, [JSON]),
    Asked("PUT", ONE, MUG, [JSON, ("If-Match", "x" * 1001)]),
    Asked("PUT", ONE, [b"{"], [JSON, ("If-Match", "x" * 1001)]),
    Asked("PUT", "/things", MUG, [JSON]),
    Asked("POST", ONE, MUG, [JSON]),
    Asked("PATCH", ONE, MUG, [("Content-Type", "text/plain")]),
    Asked("PATCH", ONE, [b"{}"], [("Content-Type", "application/merge-patch+json")]),
    *(Asked("DELETE", ONE, [body], [("Content-Length", "9")]) for body in (b"", b"{}", b' {"a": 1}')),
    Asked("DELETE", ONE, [b"{", b"}"], [("Transfer-Encoding", "chunked")]),
    Asked("DELETE", ONE, [b'{"a": '], [("Transfer-Encoding", "chunked")], breaks_off=True),
    Asked("DELETE", f"{ONE}?a=1"),
    Asked("POST", "/raw", MUG, [JSON]),
    Asked("POST", "/request", IN_PIECES),
    Asked("POST", "/perhaps"),
    Asked("POST", "/perhaps", [b""], [JSON]),
    Asked("POST", "/perhaps", [b"nu", b"ll"], [JSON, ("Idempotency-Key", "order-1")]),
    *(Asked("POST", "/drawer", [body], [JSON]) for body in (MUG[0], b"{", b"")),
    Asked("POST", "/drawer?a=1", MUG, [("Content-Type", "text/plain")]),
    Asked("DELETE", "/drawer"),
    Asked("DELETE", "/drawer", [b'{"a": 1}'], [("Content-Length", "8")]),
    *(Asked(method, ONE, MUG, [JSON]) for method in ("OPTIONS", "HEAD", "GET", "TRACE")),
]


@pytest.mark.parametrize("asked", [*USUAL, *ODD], ids=lambda asked: f"{asked.method} {asked.target}"[:40])
async def test_an_answer_is_the_frameworks(asked, monkeypatch):
    prepared = await told(small_app(*HANDLERS), asked)
    assert prepared == await told(with_framework_alone(HANDLERS, monkeypatch), asked)


@pytest.mark.parametrize("asked", USUAL, ids=lambda asked: f"{asked.method} {asked.target}")
async def test_a_usual_write_does_not_come_to_the_framework(asked, monkeypatch):
    came = await told(without_framework(HANDLERS, monkeypatch), asked)
    assert came.status in {200, 201, 202, 203, 204, 400, 409, 422} or b"bug" in asked.pieces[0]


@pytest.mark.parametrize(
    "asked",
    [
        Asked("POST", "/things", MUG, [JSON]),
        Asked("PUT", ONE, MUG, [JSON]),
        Asked("PATCH", ONE, MUG, [JSON]),
        Asked("DELETE", ONE),
        Asked("POST", "/done", MUG, [JSON]),
        Asked("POST", "/things/new"),
    ],
    ids=lambda asked: f"{asked.method} {asked.target}",
)
async def test_nor_does_what_a_handler_says_in_the_usual_way(asked, monkeypatch):
    async def refuse(*_, **__):
        raise RuntimeError("left to the framework")

    monkeypatch.setattr(HTTPRouteHandler, "to_response", refuse)
    assert (await told(small_app(*HANDLERS), asked)).status in {200, 201, 203, 204}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_of_whom_the_framework_would_refuse_no_body_is_received(method, monkeypatch):
    came = await told(without_framework(HANDLERS, monkeypatch), Asked(method, "/drawer", MUG, [JSON]))
    assert (came.status, came.received) == (500, 0)


@pytest.mark.parametrize(
    ("target", "pieces"), [("/things", MUG), ("/things", IN_PIECES), ("/perhaps", [b"nu", b"ll"])]
)
async def test_a_body_is_counted_once_into_what_makes_two_attempts_the_same(target, pieces):
    asked = Asked("POST", target, pieces, [JSON, ("Idempotency-Key", "order-1")])
    came = await told(small_app(*HANDLERS), asked)
    fingerprint = sha256(f"POST {target}?".encode() + b"\0" + b"".join(pieces)).hexdigest()
    assert fingerprint.encode() in came.body


async def test_what_is_to_be_done_afterwards_is_done_once():
    DONE_AFTERWARDS.clear()
    await told(small_app(*HANDLERS), Asked("POST", "/cookies", MUG, [JSON]))
    assert DONE_AFTERWARDS == ["mug"]
