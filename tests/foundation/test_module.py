"""Modules find what those before them provide."""

import pytest

from midrise.foundation.module import Services
from midrise.modules import installed_modules


class Shelf: ...


class Store(Shelf): ...


def test_a_service_is_found_under_its_own_class():
    services, shelf = Services(), Shelf()
    services.provide(shelf)
    assert services.get(Shelf) is shelf


def test_what_nobody_provided_is_a_bug():
    services = Services()
    services.provide(Store())
    with pytest.raises(KeyError):
        services.get(Shelf)


def test_the_modules_come_in_their_order():
    assert [module.name for module in installed_modules()] == ["audit", "config", "identity", "catalog"]


def test_what_modules_declare_is_declared_once():
    modules = installed_modules()
    for declared in (
        [permission.name for module in modules for permission in module.permissions],
        [key.key for module in modules for key in module.config_keys],
        [constraint for module in modules for constraint in module.constraint_errors],
        [error.code for module in modules for error in module.errors],
    ):
        assert len(declared) == len(set(declared))


def test_every_permission_is_a_noun_and_a_verb_and_is_described():
    for module in installed_modules():
        for permission in module.permissions:
            noun, verb = permission.name.split(":")
            assert noun.replace("_", "").isalpha()
            assert verb.isalpha()
            assert permission.description


def test_every_named_constraint_is_one_of_the_schema():
    from midrise.foundation.database import metadata

    tables = metadata.tables.values()
    names = {str(constraint.name) for table in tables for constraint in table.constraints}
    names |= {str(index.name) for table in tables for index in table.indexes}
    declared = {name for module in installed_modules() for name in module.constraint_errors}
    assert declared - names == set()
