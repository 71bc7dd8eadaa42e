"""What handlers ask for by name: who calls, and the services behind them."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from midrise.foundation.actor import Actor
from midrise.foundation.http.asgi import Scope

Value = TypeVar("Value")

Injected = NamedDependency[SkipValidation[Value]]
"""A parameter of a handler that is given by its name: ``users: Injected[Users]``."""

CurrentActor = Injected[Actor]
"""The one behind the request: a known user, or a visitor."""


class ScopeProvider:
    """Gives a handler what ``make`` makes of the scope of its request.

    The framework has to be given a function of a `Request`; making one costs more than what is made of it.
    """

    def __init__(self, make: Callable[[Scope], Any]) -> None:
        self.make = make

    def __call__(self, request: Request[Any, Any, Any]) -> Any:
        return self.make(cast("Scope", request.scope))


def current_actor(scope: Scope) -> Actor:
    """The actor, as `AdmissionGate` left it."""
    actor: Actor = scope["state"]["actor"]
    return actor
