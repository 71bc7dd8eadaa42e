"""Configuration: typed values that modules declare and an administrator changes while the service runs.

A module declares its keys in `Module.config_keys` and asks `Configuration.get_value` for what is in force.
"""

from pathlib import Path

from midrise.foundation.module import Built, House, Module, Permission
from midrise.modules.audit import AuditTrail
from midrise.modules.config.values.controller import ConfigController
from midrise.modules.config.values.repository import PostgresConfigValues
from midrise.modules.config.values.service import Configuration

__all__ = ["MODULE", "Configuration"]


def build(house: House) -> Built:
    audit = house.services.get(AuditTrail)
    configuration = Configuration(house.database, PostgresConfigValues(), audit=audit, keys=house.config_keys)
    house.services.provide(configuration)
    return Built(controllers=[ConfigController], services={"configuration": configuration})


MODULE = Module(
    name="config",
    build=build,
    permissions=[
        Permission("config:read", "Read the whole configuration"),
        Permission("config:write", "Change the configuration"),
    ],
    migrations=Path(__file__).parent / "migrations",
)
