"""What is to be raised."""

from pathlib import Path

import pytest

from midrise.topology.plan import Plan


def plan(**changes: object) -> Plan:
    usual = {"home": Path("/h"), "host": "127.0.0.1", "port": 8080, "instances": 2, "replicas": 1}
    return Plan(**usual | {"environment": {}, "admin_email": "a@b.c", "admin_password": None} | changes)


def test_everything_is_embedded_unless_it_is_given() -> None:
    assert plan().embeds_database
    assert plan().embeds_cache
    assert plan().embedded_replicas == 1


def test_an_outside_database_brings_its_own_replicas() -> None:
    given = plan(database_url="postgresql://db/shop")
    assert not given.embeds_database
    assert given.embedded_replicas == 0
    assert given.embeds_cache


def test_outside_replicas_take_the_place_of_embedded_ones() -> None:
    assert plan(replica_urls=("postgresql://other/shop",)).embedded_replicas == 0


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:8080"),
        ("shop.example", "http://shop.example:8080"),
    ],
)
def test_the_address_is_one_that_can_be_opened(host: str, shown: str) -> None:
    assert plan(host=host).address == shown


def test_tls_makes_it_https() -> None:
    assert plan(tls_certificate=Path("/c"), tls_key=Path("/k")).address == "https://127.0.0.1:8080"


def test_secrets_are_not_shown() -> None:
    shown = repr(
        plan(
            admin_password="hush",
            database_url="postgresql://u:hush@db/x",
            redis_url="redis://:hush@c",
            environment={"A": "hush"},
        )
    )
    assert "hush" not in shown
