"""The composition root: settings → pools → repositories → services → controllers → ASGI app.

Everything that a process needs is put together here, and nowhere else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from midrise.foundation.actor import SYSTEM
from midrise.foundation.admission import (
    Admission,
    CachedAdmission,
    FallbackRateLimiter,
    KnownCallers,
    LimitName,
    LocalRateLimiter,
    RateLimit,
    ValkeyRateLimiter,
)
from midrise.foundation.cache import CacheEndpoint, CacheSettings, ValkeyCache
from midrise.foundation.cache.generations import ValkeyGenerations
from midrise.foundation.database import Database, PoolSettings
from midrise.foundation.database.cache_switch import CacheSwitch, Marking
from midrise.foundation.database.idempotency import AttemptRecords
from midrise.foundation.database.nodes import Nodes
from midrise.foundation.database.positions import ConsistencyTokens
from midrise.foundation.http.asgi import App
from midrise.foundation.http.error_pages import error_classes, error_handlers
from midrise.foundation.http.framework import create_framework
from midrise.foundation.http.lifespan import LivingApp
from midrise.foundation.http.middleware.access_log import AccessLog
from midrise.foundation.http.middleware.admission_gate import AdmissionGate
from midrise.foundation.http.middleware.body_limit import BodyLimit
from midrise.foundation.http.middleware.client_address import ClientAddress
from midrise.foundation.http.middleware.consistency import ConsistencyHeaders, ConsistencyOfRequest
from midrise.foundation.http.middleware.cors import Cors
from midrise.foundation.http.middleware.error_boundary import ErrorBoundary
from midrise.foundation.http.middleware.head import HeadAnswers
from midrise.foundation.http.middleware.idempotency import IdempotencyKeys
from midrise.foundation.http.middleware.request_context import RequestContext
from midrise.foundation.http.middleware.security_headers import SecurityHeaders
from midrise.foundation.http.openapi import OpenApi
from midrise.foundation.http.operations import Dependency, Health, OperationsController
from midrise.foundation.http.reference_pages import reference_handlers
from midrise.foundation.http.server import InsideServer, Listener, work
from midrise.foundation.jobs import Job, PgQueuerJobs, forget_old_jobs
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

CREDENTIAL_SHARE = 5
"""Log-ins and registrations of one address: a fifth of what a caller may send in all."""

LIMIT_OF_PATH = {
    "/v1/auth/login": LimitName.AUTH_LOGIN,
    "/v1/auth/register": LimitName.AUTH_REGISTER,
}


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


def create_application(settings: Settings, *, process: str) -> LivingApp:
    """The API server; nothing is connected to before it is started or asked.

    ``process`` is the name it has in logs, in PostgreSQL and in Valkey. Raises `SettingMissing`,
    `SecretRefused` for a weak master secret, and `AccessUndeclared` for an operation that doesn't say who may
    call it.
    """
    assembly = assemble(settings, process=process)
    cache = assembly.cache
    if cache is None:
        raise SettingMissing("There is no cache: set MIDRISE_REDIS_URL, or start everything with `midrise up`.")
    database = assembly.house.database
    health = Health(_dependencies(database, cache=cache))
    document = OpenApi()
    errors = error_classes(error for module in assembly.modules for error in module.errors)
    framework = create_framework(
        handlers=[
            OperationsController,
            *reference_handlers,
            *document.handlers,
            *error_handlers(errors),
            *(controller for part in assembly.built for controller in part.controllers),
        ],
        services={"health": health} | {name: s for part in assembly.built for name, s in part.services.items()},
        cursors=assembly.house.cursors,
        permissions=[permission.name for permission in assembly.house.permissions],
    )
    document.describe(framework)
    return LivingApp(
        _layers(
            settings,
            cast("App", framework),
            admission=_admission(settings, assembly, cache),
            assembly=assembly,
        ),
        health=health,
        starts=[
            database.nodes.start,
            assembly.switch.start,
            *(start for part in assembly.built for start in part.start),
            assembly.house.passwords.calibrate,
        ],
        stops=[assembly.close],
    )


async def run_worker(settings: Settings, *, process: str, internal_uds: Path | None) -> None:
    """Do jobs until SIGTERM. Raises what `create_application` raises."""
    # The queue's library takes a fifth of the time that an API server needs to start: only the worker loads it.
    from midrise.foundation.jobs.worker import PgQueuerWorker

    assembly = assemble(settings, process=process)
    jobs = [job for part in assembly.built for job in part.jobs]
    database = assembly.house.database
    jobs.append(Job("idempotency.purge", schedule="23 * * * *", run=database.purge_attempts))
    jobs.append(Job("jobs.purge", schedule="41 * * * *", run=partial(forget_old_jobs, database)))
    worker = PgQueuerWorker(
        PoolSettings(database_url(settings), f"midrise {process} jobs"),
        jobs,
        handlers=[handler for part in assembly.built for handler in part.handlers],
    )
    health = Health({"database": Dependency(worker.check, vital=True)})
    framework = create_framework(
        handlers=[OperationsController],
        services={"health": health},
        cursors=assembly.house.cursors,
        permissions=(),
    )
    inside = _layers(settings, cast("App", framework), admission=None)
    beside = InsideServer(inside, Listener(uds=internal_uds)) if internal_uds else None
    try:
        await work(worker.run, beside=beside)
    finally:
        await assembly.close()


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
    foundation = Path(__file__).parent / "foundation"
    database = foundation / "database"
    own = [
        foundation / "jobs" / "migrations",
        database / "idempotency" / "migrations",
        database / "cache_switch" / "migrations",
    ]
    return [*own, *(folder for folder in folders if folder is not None)]


def master_secret(settings: Settings) -> MasterSecret:
    """The master secret of the settings. Raises `SettingMissing` and `SecretRefused`."""
    if settings.master.secret is None:
        raise SettingMissing(
            "There is no master secret: set MIDRISE_MASTER_SECRET or MIDRISE_MASTER_SECRET_FILE "
            "(only `midrise up` makes one by itself)."
        )
    return MasterSecret.from_text(settings.master.secret.get_secret_value())


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


def _dependencies(database: Database, *, cache: ValkeyCache) -> Mapping[str, Dependency]:
    dependencies = {"database": Dependency(database.check, vital=True)}
    if database.nodes.replicas:
        dependencies["replica"] = Dependency(database.nodes.check_replicas)
    return dependencies | {"cache": Dependency(cache.ping)}


def _admission(settings: Settings, assembly: Assembly, cache: ValkeyCache) -> Admission:
    """Limits are shared by all servers through the cache; while it is away, each counts for itself."""
    usual = RateLimit.parse(settings.rate.limit)
    strict = usual.share(CREDENTIAL_SHARE) if usual else None
    shared = {LimitName.DEFAULT: usual, LimitName.AUTH_LOGIN: strict, LimitName.AUTH_REGISTER: strict}
    stricter = strict.share(CREDENTIAL_SHARE) if strict else None
    local = shared | {LimitName.AUTH_LOGIN: stricter, LimitName.AUTH_REGISTER: stricter}
    (sessions,) = (part.session_source for part in assembly.built if part.session_source is not None)
    return Admission(
        tokens=assembly.house.access_tokens,
        sessions=sessions,
        limiter=FallbackRateLimiter(ValkeyRateLimiter(cache, shared), LocalRateLimiter(local)),
        cached=CachedAdmission(KnownCallers(sessions, cache, assembly.switch), assembly.switch),
    )


def _layers(
    settings: Settings, framework: App, *, admission: Admission | None, assembly: Assembly | None = None
) -> App:
    """The middleware around the framework, innermost first."""
    app: App = IdempotencyKeys(framework)
    app = ConsistencyOfRequest(app)
    app = AdmissionGate(app, admission=admission, limits=LIMIT_OF_PATH)
    app = BodyLimit(app)
    app = HeadAnswers(app)
    app = ErrorBoundary(app)
    if assembly is not None:
        tokens = ConsistencyTokens(assembly.house.master.derive("consistency tokens"))
        app = ConsistencyHeaders(app, tokens=tokens, nodes=assembly.house.database.nodes)
    app = Cors(app, origins=settings.cors.origins)
    app = SecurityHeaders(app)
    app = AccessLog(app)
    app = ClientAddress(app, trusted_networks=settings.trusted.proxies)
    return RequestContext(app)
