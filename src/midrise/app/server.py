"""From services to processes: the API server with its middleware, and the worker."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import cast

from midrise.app.assembly import Assembly, SettingMissing, assemble, database_url
from midrise.foundation.admission import (
    Admission,
    CachedAdmission,
    FallbackRateLimiter,
    KeysInForce,
    KnownCallers,
    KnownTokens,
    LimitName,
    LocalRateLimiter,
    RateLimit,
    ValkeyRateLimiter,
)
from midrise.foundation.cache import ValkeyCache
from midrise.foundation.cache.generations import ValkeyGenerations
from midrise.foundation.cache.reads import CachedReads
from midrise.foundation.database import Database, PoolSettings
from midrise.foundation.database.cache_switch import CacheSwitch
from midrise.foundation.database.positions import ConsistencyTokens
from midrise.foundation.http.asgi import App
from midrise.foundation.http.caching import CachePlans
from midrise.foundation.http.error_pages import error_classes, error_handlers
from midrise.foundation.http.framework import create_framework
from midrise.foundation.http.kept_answer import KeptAnswer
from midrise.foundation.http.lifespan import LivingApp
from midrise.foundation.http.middleware.access_log import AccessLog
from midrise.foundation.http.middleware.admission_gate import AdmissionGate
from midrise.foundation.http.middleware.body_limit import BodyLimit
from midrise.foundation.http.middleware.cached_answers import CachedAnswers
from midrise.foundation.http.middleware.client_address import ClientAddress, Proxies
from midrise.foundation.http.middleware.consistency import ConsistencyHeaders, ConsistencyOfRequest
from midrise.foundation.http.middleware.cors import Cors, Origins
from midrise.foundation.http.middleware.error_boundary import ErrorBoundary
from midrise.foundation.http.middleware.head import HeadAnswers
from midrise.foundation.http.middleware.idempotency import IdempotencyKeys
from midrise.foundation.http.middleware.quick_answers import QuickAnswers
from midrise.foundation.http.middleware.request_context import RequestContext
from midrise.foundation.http.middleware.security_headers import SecurityHeaders
from midrise.foundation.http.openapi import OpenApi
from midrise.foundation.http.operations import Dependency, Health, OperationsController
from midrise.foundation.http.reference_pages import reference_handlers
from midrise.foundation.http.server import InsideServer, Listener, work
from midrise.foundation.jobs import Job, forget_old_jobs
from midrise.settings import Settings

CREDENTIAL_SHARE = 5
"""Log-ins, registrations and mails of one address: a fifth of what a caller may send in all."""

MOST_ANSWERS_BYTES = 32 * 1024 * 1024
"""What one process keeps of answers; behind it is the cache that all share."""

LIMIT_OF_PATH = {
    "/v1/auth/login": LimitName.AUTH_LOGIN,
    "/v1/auth/register": LimitName.AUTH_REGISTER,
    "/v1/auth/password/forgot": LimitName.AUTH_MAIL,
    "/v1/auth/email/verify/resend": LimitName.AUTH_MAIL,
}


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
        layers(
            settings,
            cast("App", framework),
            admission=_admission(settings, assembly, cache),
            assembly=assembly,
            plans=CachePlans.of(framework),
        ),
        health=health,
        starts=[
            database.nodes.start,
            assembly.switch.start,
            *(start for part in assembly.built for start in part.start),
            assembly.house.passwords.calibrate,
        ],
        stops=[*(stop for part in assembly.built for stop in part.stop), assembly.close],
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
        nodes=database.nodes,
        handlers=[handler for part in assembly.built for handler in part.handlers],
    )
    health = Health({"database": Dependency(worker.check, vital=True)})
    framework = create_framework(
        handlers=[OperationsController],
        services={"health": health},
        cursors=assembly.house.cursors,
        permissions=(),
    )
    inside = layers(settings, cast("App", framework), admission=None)
    beside = InsideServer(inside, Listener(uds=internal_uds)) if internal_uds else None
    try:
        await work(worker.run, beside=beside)
    finally:
        await assembly.close()


def _dependencies(database: Database, *, cache: ValkeyCache) -> Mapping[str, Dependency]:
    dependencies = {"database": Dependency(database.check, vital=True)}
    if database.nodes.replicas:
        dependencies["replica"] = Dependency(database.nodes.check_replicas)
    return dependencies | {"cache": Dependency(cache.ping)}


def _admission(settings: Settings, assembly: Assembly, cache: ValkeyCache) -> Admission:
    """Limits are shared by all servers through the cache; while it is away, each counts for itself."""
    usual = RateLimit.parse(settings.rate.limit)
    strict = usual.share(CREDENTIAL_SHARE) if usual else None
    by_address = [name for name in LimitName if name.is_by_address]
    shared = {LimitName.DEFAULT: usual} | dict.fromkeys(by_address, strict)
    stricter = strict.share(CREDENTIAL_SHARE) if strict else None
    local = shared | dict.fromkeys(by_address, stricter)
    (sessions,) = (part.session_source for part in assembly.built if part.session_source is not None)
    (keys,) = (part.key_source for part in assembly.built if part.key_source is not None)
    (api_keys,) = (part.api_key_source for part in assembly.built if part.api_key_source is not None)
    callers = KnownCallers(sessions, cache, assembly.switch)
    in_force = KeysInForce(keys, cache=cache, switch=assembly.switch)
    limiter = ValkeyRateLimiter(cache, shared)
    return Admission(
        tokens=assembly.house.access_tokens,
        sessions=sessions,
        api_keys=api_keys,
        limiter=FallbackRateLimiter(limiter, LocalRateLimiter(local)),
        quick=limiter,
        cached=CachedAdmission(callers, in_force, KnownTokens(callers, in_force), assembly.switch),
    )


def _answers(cache: ValkeyCache, switch: CacheSwitch) -> CachedReads[KeptAnswer]:
    return CachedReads(KeptAnswer, cache=cache, switch=switch, name="answer", most_bytes=MOST_ANSWERS_BYTES)


def layers(
    settings: Settings,
    framework: App,
    *,
    admission: Admission | None,
    assembly: Assembly | None = None,
    plans: CachePlans | None = None,
) -> App:
    """The middleware around the framework, innermost first."""
    app: App = IdempotencyKeys(framework)
    cache = assembly.cache if assembly is not None else None
    reads = _answers(cache, assembly.switch) if assembly is not None and cache is not None else None
    app = ConsistencyOfRequest(app, generations=ValkeyGenerations(cache) if cache is not None else None)
    if reads is not None:
        app = CachedAnswers(app, reads=reads)
    app = AdmissionGate(app, admission=admission, limits=LIMIT_OF_PATH, plans=plans)
    app = BodyLimit(app)
    app = HeadAnswers(app)
    app = ErrorBoundary(app)
    origins, proxies = Origins(settings.cors.origins), Proxies(settings.trusted.proxies)
    tokens = ConsistencyTokens(assembly.house.master.derive("consistency tokens")) if assembly else None
    if assembly is not None and tokens is not None:
        app = ConsistencyHeaders(app, tokens=tokens, nodes=assembly.house.database.nodes)
    app = Cors(app, origins=origins)
    app = SecurityHeaders(app)
    app = log = AccessLog(app)
    app = ClientAddress(app, proxies=proxies)
    app = RequestContext(app)
    if assembly is None or tokens is None or admission is None or plans is None or reads is None:
        return app
    return QuickAnswers(
        app,
        plans=plans,
        reads=reads,
        admission=admission,
        proxies=proxies,
        origins=origins,
        tokens=tokens,
        nodes=assembly.house.database.nodes,
        log=log,
    )
