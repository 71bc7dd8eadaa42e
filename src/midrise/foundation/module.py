"""What a module is: what it declares, and what it is built from.

A module is found by the list in `midrise.modules` or by the entry point ``midrise.modules`` of an installed
package. The application asks each, in order, to build itself from the house; a module finds what those before
it provide.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar, cast

from midrise.foundation.admission import ApiKeySource, KeySource, SessionSource
from midrise.foundation.database import ConstraintErrors, Database
from midrise.foundation.errors import AppError
from midrise.foundation.jobs import AnyHandler, Job, PgQueuerJobs
from midrise.foundation.mail import Mailer
from midrise.foundation.paging import CursorSigner
from midrise.foundation.security.passwords import BcryptPasswords
from midrise.foundation.security.secrets import MasterSecret
from midrise.foundation.security.signing_keys import KeyRing
from midrise.foundation.security.tokens import AccessTokens

Service = TypeVar("Service")

ConfigValue = bool | int | float | str
Declared = TypeVar("Declared", bound=ConfigValue, covariant=True)


@dataclass(frozen=True, slots=True)
class Permission:
    """Something that a role can allow: its name is ``noun:verb``."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class ConfigKey(Generic[Declared]):
    """A value that an administrator can change while the service runs.

    The type of ``default`` is the type of the value (write 5.0 for a fraction that starts at 5); ``public``
    ones are shown to anyone. Numbers keep between ``smallest`` and ``largest``, the length of texts does.
    """

    key: str
    default: Declared
    description: str
    public: bool = False
    smallest: float | None = None
    largest: float | None = None


class Services:
    """The services that modules provide, each under its own class."""

    def __init__(self) -> None:
        self._services: dict[type, object] = {}

    def provide(self, service: object) -> None:
        self._services[type(service)] = service

    def get(self, kind: type[Service]) -> Service:
        """The service of that class. Raises `KeyError` where no module before this one provides it."""
        return cast(Service, self._services[kind])  # noqa: TC006  a type variable reads as one


@dataclass(frozen=True, slots=True)
class House:
    """What every module is built from. ``public_url`` is what links in mails begin with."""

    database: Database
    passwords: BcryptPasswords
    master: MasterSecret
    cursors: CursorSigner
    key_ring: KeyRing
    access_tokens: AccessTokens
    jobs: PgQueuerJobs
    mailer: Mailer
    public_url: str
    permissions: Sequence[Permission]
    config_keys: Sequence[ConfigKey[ConfigValue]]
    services: Services


@dataclass(frozen=True, slots=True)
class Built:
    """What a module gives to the application.

    ``controllers`` are Litestar's; ``services`` are what its handlers take, by the name they take them by.
    ``jobs`` are done at their times, ``handlers`` do those that services ask for. ``start`` runs before the
    first request, ``stop`` behind the last one. ``session_source`` is asked for the caller behind a session,
    ``api_key_source`` for the one behind an API key, ``key_source`` for the keys that verify tokens.
    """

    controllers: Sequence[type] = ()
    services: Mapping[str, object] = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    handlers: Sequence[AnyHandler] = ()
    start: Sequence[Callable[[], Awaitable[None]]] = ()
    stop: Sequence[Callable[[], Awaitable[None]]] = ()
    session_source: SessionSource | None = None
    api_key_source: ApiKeySource | None = None
    key_source: KeySource | None = None


@dataclass(frozen=True, slots=True)
class Module:
    """What a module declares of itself."""

    name: str
    build: Callable[[House], Built]
    permissions: Sequence[Permission] = ()
    config_keys: Sequence[ConfigKey[ConfigValue]] = ()
    errors: Sequence[type[AppError]] = ()
    constraint_errors: ConstraintErrors = field(default_factory=dict)
    migrations: Path | None = None
