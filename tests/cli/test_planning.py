"""Settings that become a plan."""

import os
from pathlib import Path

from midrise.cli.planning import plan_of
from midrise.foundation.security.secrets import MasterSecret
from midrise.settings import load
from midrise.topology.plan import Plan


def plan(**environment: str) -> Plan:
    return plan_of(load(environment, toml=Path(os.devnull)))


def test_without_settings_everything_is_embedded_and_close_at_hand() -> None:
    usual = plan()
    assert (usual.host, usual.port, usual.instances, usual.replicas) == ("127.0.0.1", 8080, 2, 1)
    assert usual.home == Path.cwd() / ".midrise"
    assert usual.embeds_database
    assert usual.embeds_cache
    assert usual.admin_password is None
    assert not usual.has_master_secret


def test_what_is_given_reaches_the_plan() -> None:
    given = plan(
        MIDRISE_HOME="/srv/shop",
        MIDRISE_PORT="9000",
        MIDRISE_INSTANCES="4",
        MIDRISE_DATABASE_URL="postgresql://shop@db/shop",
        MIDRISE_REPLICA_URLS="postgresql://r1/shop,postgresql://r2/shop",
        MIDRISE_REDIS_URL="rediss://cache",
        MIDRISE_TLS_CERT="cert.pem",
        MIDRISE_TLS_KEY="key.pem",
        MIDRISE_TRUSTED_PROXIES="10.0.0.0/8",
        MIDRISE_CORS_ORIGINS="https://shop.example",
        MIDRISE_MASTER_SECRET=MasterSecret.generate().text,
        MIDRISE_ADMIN_PASSWORD="three green boats",
    )
    assert (given.home, given.port, given.instances) == (Path("/srv/shop"), 9000, 4)
    assert given.database_url == "postgresql://shop@db/shop"
    assert given.replica_urls == ("postgresql://r1/shop", "postgresql://r2/shop")
    assert given.redis_url == "rediss://cache"
    assert given.tls_certificate == Path.cwd() / "cert.pem"
    assert given.trusted_proxies == ("10.0.0.0/8",)
    assert given.cors_origins == ("https://shop.example",)
    assert given.has_master_secret
    assert given.admin_password == "three green boats"


def test_children_inherit_the_whole_environment() -> None:
    assert plan().environment == dict(os.environ)
