"""Every operation says who may call it, and nobody else gets to it."""

from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent
from uuid import UUID

import pytest
from litestar import asgi, get, post, route
from tests.foundation.http.small_app import CURSORS, PERMISSION

from midrise.app import create_application
from midrise.foundation.actor import Actor
from midrise.foundation.errors import Forbidden, Unauthenticated
from midrise.foundation.http.access import (
    ANYONE,
    ANYONE_WHATEVER_THEY_SEND,
    KNOWN_CALLER,
    Access,
    AccessUndeclared,
    check_access,
    needs,
)
from midrise.foundation.http.framework import create_framework

SOMEBODY = UUID(int=7)


def framework_of(*handlers: object) -> None:
    create_framework(handlers=handlers, services={}, cursors=CURSORS, permissions=[PERMISSION])


@get("/open")
async def undeclared() -> None: ...


@get("/open", access="anyone")
async def declared_in_words() -> None: ...


@post("/open", access=needs("secrets:read"), status_code=204)
async def of_an_unknown_permission() -> None: ...


@route("/open", http_method=["OPTIONS", "POST"], status_code=204)
async def hidden_behind_options() -> None: ...


@asgi("/open", copy_scope=True)
async def undeclared_asgi(scope: object, receive: object, send: object) -> None: ...


@get("/open", access=ANYONE)
async def declared() -> None: ...


@pytest.mark.parametrize(
    "handler", [undeclared, declared_in_words, of_an_unknown_permission, hidden_behind_options, undeclared_asgi]
)
def test_what_does_not_say_who_may_call_it_keeps_the_application_from_starting(handler):
    with pytest.raises(AccessUndeclared, match="/open"):
        framework_of(handler)


def test_what_says_it_is_taken():
    framework_of(declared)


def test_a_module_of_another_package_is_held_to_it_too(settings, tmp_path: Path, monkeypatch):
    install(
        tmp_path,
        name="forgetful",
        source="""
        from litestar import get

        from midrise.foundation.module import Built, Module

        @get("/v1/forgotten")
        async def forgotten() -> None: ...

        MODULE = Module(name="forgetful", build=lambda house: Built(controllers=[forgotten]))
        """,
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [entry.name for entry in entry_points(group="midrise.modules")] == ["forgetful"]
    with pytest.raises(AccessUndeclared, match="GET /v1/forgotten does not say who may call it"):
        create_application(settings, process="tests")


def install(folder: Path, *, name: str, source: str) -> None:
    """Lay down a package as an installer does, with its entry point."""
    (folder / f"{name}.py").write_text(dedent(source))
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[midrise.modules]\n{name} = {name}:MODULE\n")


class Connection:
    def __init__(self, actor: Actor, rejection: Exception | None = None, *, method: str = "GET") -> None:
        self.scope = {"method": method, "state": {"actor": actor, "rejection": rejection}}


class Handler:
    def __init__(self, access: Access | None) -> None:
        self.opt = {"access": access} if access else {}


VISITOR = Actor()
CALLER = Actor(user_id=SOMEBODY)
EDITOR = Actor(user_id=SOMEBODY, permissions=frozenset({PERMISSION}))


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("access", "actor", "refusal"),
    [
        (ANYONE, VISITOR, None),
        (ANYONE_WHATEVER_THEY_SEND, VISITOR, None),
        (KNOWN_CALLER, VISITOR, Unauthenticated),
        (KNOWN_CALLER, CALLER, None),
        (needs(PERMISSION), VISITOR, Unauthenticated),
        (needs(PERMISSION), CALLER, Forbidden),
        (needs(PERMISSION), EDITOR, None),
        (None, VISITOR, Unauthenticated),
    ],
)
async def test_a_caller_gets_what_the_operation_says(access, actor, refusal):
    if refusal is None:
        await check_access(Connection(actor), Handler(access))
        return
    with pytest.raises(refusal):
        await check_access(Connection(actor), Handler(access))


@pytest.mark.anyio
@pytest.mark.parametrize("access", [ANYONE, KNOWN_CALLER, needs(PERMISSION)])
async def test_a_wrong_credential_is_refused_even_where_none_is_needed(access):
    with pytest.raises(Unauthenticated):
        await check_access(Connection(VISITOR, Unauthenticated()), Handler(access))


@pytest.mark.anyio
async def test_a_wrong_credential_does_not_matter_to_a_log_in():
    await check_access(Connection(VISITOR, Unauthenticated()), Handler(ANYONE_WHATEVER_THEY_SEND))
