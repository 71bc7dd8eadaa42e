"""What handlers ask for by name: who calls, and the services behind them."""

from typing import Any, TypeVar

from litestar import Request
from litestar.di import NamedDependency
from litestar.params import SkipValidation

from midrise.foundation.actor import Actor

Value = TypeVar("Value")

Injected = NamedDependency[SkipValidation[Value]]
"""A parameter of a handler that is given by its name: ``users: Injected[Users]``."""

CurrentActor = Injected[Actor]
"""The one behind the request: a known user, or a visitor."""


def current_actor(request: Request[Any, Any, Any]) -> Actor:
    actor: Actor = request.scope["state"]["actor"]
    return actor
