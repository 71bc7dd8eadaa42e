"""What handlers ask for by name: who calls, and the services behind them."""

from typing import Annotated, Any

from litestar import Request
from litestar.params import Dependency

from midrise.foundation.actor import Actor

CurrentActor = Annotated[Actor, Dependency(skip_validation=True)]
"""The one behind the request: a known user, or a visitor."""

SERVICE = Dependency(skip_validation=True)
"""Marks a parameter of a handler as a service that its module provides: ``Annotated[Users, SERVICE]``."""


def current_actor(request: Request[Any, Any, Any]) -> Actor:
    actor: Actor = request.scope["state"]["actor"]
    return actor
