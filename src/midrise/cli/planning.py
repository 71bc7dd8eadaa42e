"""Turns settings into the plan of a topology, and refusals into one sentence and an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from midrise.settings import Settings, environment_of_process, load_or_exit
from midrise.topology.errors import Refused
from midrise.topology.plan import Plan
from midrise.topology.state import StateFolder

REFUSED = 1


def plan_of(settings: Settings) -> Plan:
    """What these settings ask for on this machine."""
    password, database, redis = settings.admin.password, settings.database.url, settings.redis.url
    return Plan(
        home=settings.home.absolute(),
        host=settings.host,
        port=settings.port,
        instances=settings.instances,
        replicas=settings.replicas,
        environment=environment_of_process(),
        admin_email=settings.admin.email,
        admin_password=password.get_secret_value() if password else None,
        database_url=database.get_secret_value() if database else None,
        replica_urls=tuple(url.get_secret_value() for url in settings.replica.urls),
        redis_url=redis.get_secret_value() if redis else None,
        has_master_secret=settings.master.secret is not None,
        tls_certificate=settings.tls.cert.absolute() if settings.tls.cert else None,
        tls_key=settings.tls.key.absolute() if settings.tls.key else None,
        trusted_proxies=settings.trusted.proxies,
        cors_origins=settings.cors.origins,
    )


def state_of_settings() -> StateFolder:
    """The state folder that the settings name."""
    return StateFolder(load_or_exit().home.absolute())


@contextmanager
def one_sentence() -> Iterator[None]:
    """Print why something can't be done, on standard error, and exit with 1."""
    try:
        yield
    except Refused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(REFUSED) from None
