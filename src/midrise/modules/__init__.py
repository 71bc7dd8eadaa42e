"""The modules, in their order: each may use those before it, through their package alone.

Another package adds its own by the entry point ``midrise.modules``; those come last.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points

from midrise.foundation.module import Module

_OWN = ("audit", "config", "identity", "catalog")


def installed_modules() -> Sequence[Module]:
    """Every module of this installation."""
    own = [import_module(f"{__name__}.{name}").MODULE for name in _OWN]
    others = [entry.load() for entry in sorted(entry_points(group="midrise.modules"), key=lambda e: e.name)]
    return [*own, *others]
