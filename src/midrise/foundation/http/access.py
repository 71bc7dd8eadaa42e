"""Who may call an operation: declared on each, checked before anything of its input is read.

An operation without a declaration keeps the application from starting.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.handlers.base import BaseRouteHandler
from litestar.routes import HTTPRoute

from midrise.foundation.actor import Actor
from midrise.foundation.errors import AppError, Forbidden, LogInNeeded, Unauthenticated


@dataclass(frozen=True, slots=True)
class Access:
    """What a caller needs: nothing, to be known, or a permission; ``in_person``, to be no program.

    Where ``ignores_credentials`` is set, a wrong or expired token does not matter: log-in and refresh are
    called by clients whose token has just run out.
    """

    known: bool = False
    permission: str | None = None
    ignores_credentials: bool = False
    in_person: bool = False


ANYONE = Access()
ANYONE_WHATEVER_THEY_SEND = Access(ignores_credentials=True)
KNOWN_CALLER = Access(known=True)
IN_PERSON = Access(known=True, in_person=True)
"""Callers who are logged in: for what is their own, such as the password, which no API key gets at."""


def needs(permission: str) -> Access:
    """Callers that hold the permission."""
    return Access(known=True, permission=permission)


class AccessUndeclared(Exception):
    """An operation does not say who may call it; the text names it."""


def refuse_undeclared(app: Litestar, permissions: Iterable[str]) -> None:
    """Raises `AccessUndeclared` for an operation without a declaration, or with one that no module declares."""
    known = frozenset(permissions)
    for route in app.routes:
        handlers = route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]
        for handler in handlers:
            methods = handler.http_methods if isinstance(handler, HTTPRouteHandler) else {route.scope_type}
            if methods == {"OPTIONS"}:
                continue  # the framework's own; no handler is ever asked
            access = handler.opt.get("access")
            name = f"{'/'.join(sorted(methods))} {route.path}"
            if not isinstance(access, Access):
                raise AccessUndeclared(f"{name} does not say who may call it.")
            if access.permission is not None and access.permission not in known:
                raise AccessUndeclared(f"{name} needs {access.permission}, which no module declares.")


async def check_access(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every operation. Raises what the caller is refused with.

    It awaits nothing: a guard that is no coroutine would be sent to a thread.
    """
    access: Access = handler.opt.get("access", KNOWN_CALLER)
    if connection.scope.get("method") == "OPTIONS":
        return
    refusal = check_caller(access, connection.scope["state"])
    if refusal is not None:
        raise refusal


def check_caller(access: Access, state: Mapping[str, Any]) -> AppError | None:
    """What the caller of a request with this state is refused with; None where it may call."""
    if access.ignores_credentials:
        return None
    rejection: AppError | None = state.get("rejection")
    if rejection is not None:
        if isinstance(rejection, Unauthenticated):
            rejection.credential_refused = True
        return rejection
    actor: Actor = state["actor"]
    if access.known and actor.user_id is None:
        return Unauthenticated()
    if access.in_person and actor.api_key_id is not None:
        return LogInNeeded()
    if access.permission is not None and not actor.may(access.permission):
        return Forbidden(access.permission)
    return None
