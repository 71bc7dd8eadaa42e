"""From settings to services: every module, built on the database and the cache that the settings name."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from midrise.foundation.actor import SYSTEM
from midrise.foundation.cache import CacheEndpoint, CacheSettings, ValkeyCache
from midrise.foundation.cache.generations import ValkeyGenerations
from midrise.foundation.database import Database, PoolSettings
from midrise.foundation.database.cache_switch import CacheSwitch, Marking
from midrise.foundation.database.idempotency import AttemptRecords
from midrise.foundation.database.nodes import Nodes
from midrise.foundation.jobs import PgQueuerJobs
from midrise.foundation.mail import FileMailer, Mailer
from midrise.foundation.module import Built, House, Module, Services
from midrise.foundation.paging import CursorSigner
from midrise.foundation.security.passwords import BcryptPasswords, PasswordSettings
from midrise.foundation.security.secrets import MasterSecret
from midrise.foundation.security.signing_keys import KeyRing
from midrise.foundation.security.tokens import AccessTokens, TokenSettings
from midrise.modules import installed_modules
from midrise.modules.identity import NewUser, Users
from midrise.settings import Settings


class SettingMissing(Exception):
    """A process can't do without a setting; the text says which and where to get it, in one sentence."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """The modules, built in a house of their own."""

    modules: Sequence[Module]
    house: House
    built: Sequence[Built]
    switch: CacheSwitch
    cache: ValkeyCache | None

    async def close(self) -> None:
        self.house.passwords.close()
        await self.house.database.close()
        if self.cache is not None:
            await self.cache.close()


async def renew_cache(settings: Settings) -> None:
    """Have every server forget what it remembers; when this returns, none shows it. Raises `Unavailable`."""
    nodes = _nodes(settings, "cache")
    switch = CacheSwitch(nodes, None)
    try:
        await switch.turn_off()
    finally:
        await switch.close()
        await nodes.close()


async def create_administrator(
    settings: Settings, *, email: str, name: str, password: str, if_none: bool
) -> bool:
    """Make an administrator; False where ``if_none`` and there is one. Raises `Invalid` and `EmailTaken`."""
    assembly = assemble(settings, process="admin")
    users = assembly.house.services.get(Users)
    try:
        if if_none and await users.has_administrator():
            return False
        await users.create_administrator(NewUser(email=email, name=name, password=password), actor=SYSTEM)
    finally:
        await assembly.close()
    return True


def assemble(settings: Settings, *, process: str) -> Assembly:
    """Every module, built on the database of the settings."""
    modules = installed_modules()
    master = master_secret(settings)
    ring = KeyRing()
    cache, nodes = _cache(settings, process), _nodes(settings, process)
    switch = CacheSwitch(nodes, cache)
    marking = Marking(switch, ValkeyGenerations(cache) if cache else None)
    house = House(
        database=_database(modules, nodes=nodes, marking=marking, master=master),
        passwords=BcryptPasswords(PasswordSettings(cost=settings.password.cost), master),
        master=master,
        cursors=CursorSigner(master.derive("cursors")),
        key_ring=ring,
        access_tokens=AccessTokens(TokenSettings(settings.token.issuer, settings.token.audience), ring),
        jobs=PgQueuerJobs(),
        mailer=_mailer(settings),
        public_url=settings.public_url,
        permissions=[permission for module in modules for permission in module.permissions],
        config_keys=[key for module in modules for key in module.config_keys],
        services=Services(),
    )
    return Assembly(modules, house, [module.build(house) for module in modules], switch, cache)


def migration_folders() -> Sequence[Path]:
    """Where the migrations stand: the foundation's, and every module's."""
    folders = [module.migrations for module in installed_modules()]
    foundation = Path(__file__).parents[1] / "foundation"
    database = foundation / "database"
    own = [
        foundation / "jobs" / "migrations",
        database / "idempotency" / "migrations",
        database / "cache_switch" / "migrations",
    ]
    return [*own, *(folder for folder in folders if folder is not None)]


def master_secret(settings: Settings) -> MasterSecret:
    """The master secret of the settings, which knows the one before, if that is given.

    Raises `SettingMissing` and `SecretRefused`.
    """
    if settings.master.secret is None:
        raise SettingMissing(
            "There is no master secret: set MIDRISE_MASTER_SECRET or MIDRISE_MASTER_SECRET_FILE "
            "(only `midrise up` makes one by itself)."
        )
    given = settings.master.previous
    previous = [MasterSecret.from_text(given.get_secret_value())] if given is not None else []
    return MasterSecret.from_text(settings.master.secret.get_secret_value(), previous=previous)


def database_url(settings: Settings) -> str:
    """The URL of the primary. Raises `SettingMissing`."""
    if settings.database.url is None:
        raise SettingMissing(
            "There is no database: set MIDRISE_DATABASE_URL, or start everything with `midrise up`."
        )
    return settings.database.url.get_secret_value()


def _mailer(settings: Settings) -> Mailer:
    if settings.smtp.url is None:
        return FileMailer(settings.mail_folder, sender=settings.mail.sender)
    # Read where it is used: few processes send mails.
    from midrise.foundation.mail.smtp import SmtpEndpoint, SmtpMailer

    endpoint = SmtpEndpoint.parse(settings.smtp.url.get_secret_value())
    return SmtpMailer(endpoint, sender=settings.mail.sender)


def _cache(settings: Settings, process: str) -> ValkeyCache | None:
    """The cache; commands and workers can do without, and turn it off for what they change."""
    if settings.redis.url is None:
        return None
    endpoint = CacheEndpoint.parse(settings.redis.url.get_secret_value())
    return ValkeyCache(CacheSettings(endpoint=endpoint, process=f"midrise-{process}"))


def _database(modules: Sequence[Module], *, nodes: Nodes, marking: Marking, master: MasterSecret) -> Database:
    errors = {name: error for module in modules for name, error in module.constraint_errors.items()}
    return Database(
        nodes=nodes,
        constraint_errors=errors,
        marking=marking,
        attempts=AttemptRecords(master),
    )


def _nodes(settings: Settings, process: str) -> Nodes:
    """Every server that the settings name: whichever is the primary is written to."""
    url, sizes = database_url(settings), settings.database
    return Nodes.of(
        PoolSettings(url, f"midrise {process} write", largest_size=sizes.pool_size),
        reading=PoolSettings(url, f"midrise {process}", largest_size=sizes.read_pool_size),
        replica_urls=[url.get_secret_value() for url in settings.replica.urls],
        most_lag_seconds=settings.replica.most_lag_seconds,
    )
