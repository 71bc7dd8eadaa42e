"""Which answers may be remembered: a controller says so in one word, `cached=`; the middleware does the rest.

    @get("/{product_id:uuid}", access=ANYONE, cached=Cached("product:{product_id}", split_by="products:write"))

The generations are those that services mark when they change what is shown (`WriteUnit.mark`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute
from msgspec.structs import replace

from midrise.foundation.actor import Actor
from midrise.foundation.admission import CALLER
from midrise.foundation.http.access import Access, check_caller
from midrise.foundation.ids import text_of

_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_LONGEST_PATH = 1000
_LONGEST_QUERY = 1000
"""Of longer ones a digest stands for them, and they are looked at anew each time."""
_MOST_KNOWN_CALLS = 2048
_VISITOR = Actor()


class NotCacheable(Exception):
    """An operation is declared `cached=` that can't be; the text names it. The service does not start."""


class Cached:
    """The answer may be remembered under these generations.

    A name may hold the path's parameter in braces, or `{caller}` for the id of whoever calls. ``split_by`` is a
    permission whose holders are shown something else than others.
    """

    def __init__(self, *generations: str, split_by: str | None = None) -> None:
        self.generations = generations
        self.split_by = split_by
        self.is_personal = any(CALLER in name for name in generations)


@dataclass(frozen=True, slots=True)
class Plan:
    """An operation whose answers may be remembered."""

    template: str
    access: Access
    cached: Cached
    parameter: str | None = None
    is_id: bool = False

    def audience(self, actor: Actor) -> str:
        """Who is shown the same as this caller."""
        if self.cached.is_personal:
            # A program of somebody's may do less than they, and be shown less.
            if actor.api_key_id is not None:
                return f"{actor.user_id}/{actor.api_key_id}"
            return text_of(actor.user_id) if actor.user_id is not None else ""
        return "1" if self.cached.split_by is not None and actor.may(self.cached.split_by) else "0"


class PlannedCall(msgspec.Struct, frozen=True):
    """A request whose answer may be remembered, and the generations that it depends on."""

    plan: Plan
    generations: tuple[str, ...]
    target: str
    visitors_key: str | None = None
    """`key` for who brings no credential; None where such a caller is not let in."""

    def key(self, actor: Actor) -> str:
        """Stands for everything that the answer depends on besides the generations."""
        return f"{self.plan.audience(actor)} {self.target}"


class CachePlans:
    """Finds the plan of a request before any framework is asked."""

    def __init__(self, plans: Iterable[Plan]) -> None:
        self._whole: dict[str, Plan] = {}
        self._with_parameter: dict[str, Plan] = {}
        for plan in plans:
            head = plan.template.partition("/{")[0]
            (self._with_parameter if plan.parameter else self._whole)[head] = plan
        self._find_known = lru_cache(maxsize=_MOST_KNOWN_CALLS)(self._find)

    @classmethod
    def of(cls, app: Litestar) -> "CachePlans":
        """Those that the routes declare. Raises `NotCacheable`."""
        return cls(
            _plan(route, handler)
            for route in app.routes
            if isinstance(route, HTTPRoute)
            for method, (handler, _) in route.route_handler_map.items()
            if method == "GET" and handler.opt.get("cached") is not None
        )

    def find(self, path: str, query: bytes) -> PlannedCall | None:
        """The plan for `GET` of a path, which is as the framework reads it.

        Every call of an operation that is cached has one, however it is spelt: its generations are also what
        keeps a replica from showing what is older than a commit.
        """
        return self._find_known(path, query) if len(query) <= _LONGEST_QUERY else self._find(path, query)

    def _find(self, path: str, query: bytes) -> PlannedCall | None:
        if len(path) > _LONGEST_PATH or "?" in path:
            # Nothing has so long a name. An encoded question mark would read like a query in a target.
            return None
        plan = self._whole.get(path)
        if plan is not None:
            return _planned(plan, plan.cached.generations, _target(path, query))
        head, _, last = path.rpartition("/")
        plan = self._with_parameter.get(head)
        if plan is not None and plan.is_id:
            last = _id_as_shown(last)
            path = f"{head}/{last}"
        if plan is None or not last:
            return None
        names = tuple(name.replace(f"{{{plan.parameter}}}", last) for name in plan.cached.generations)
        return _planned(plan, names, _target(path, query))


def _planned(plan: Plan, generations: tuple[str, ...], target: str) -> PlannedCall:
    call = PlannedCall(plan, generations, target)
    if check_caller(plan.access, {"actor": _VISITOR}) is not None:
        return call
    return replace(call, visitors_key=call.key(_VISITOR))


def _id_as_shown(spelt: str) -> str:
    """An id in the one spelling that it is shown in; empty for what is none. `UUID` reads several, and so does
    the framework."""
    try:
        return str(UUID(spelt))
    except ValueError:
        return ""


def _target(path: str, query: bytes) -> str:
    if not query:
        return path
    if b"&" in query:
        # The order of parameters makes no difference, but the one of the first who asked stands in `Link`.
        query = b"&".join(sorted(query.split(b"&")))
    if len(query) > _LONGEST_QUERY:
        # No query holds a hash sign: it would end the address.
        return f"{path}?#{sha256(query).hexdigest()}"
    return f"{path}?{query.decode('latin-1')}"


def _plan(route: HTTPRoute, handler: Any) -> Plan:
    template = str(route.path)
    found = _PARAMETER.findall(template)
    if len(found) > 1 or (found and not template.endswith("}")):
        raise NotCacheable(f"GET {template} can't be cached: its one parameter must be the last of its path.")
    options: Mapping[str, Any] = handler.opt
    name, kind = found[0] if found else (None, "")
    return Plan(route.path_format, options["access"], options["cached"], name, is_id=kind == "uuid")
