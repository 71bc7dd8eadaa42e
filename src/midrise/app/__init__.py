"""The composition root: settings → pools → repositories → services → controllers → ASGI app.

Everything that a process needs is put together here, and nowhere else.
"""

from midrise.app.assembly import (
    Assembly,
    SettingMissing,
    assemble,
    create_administrator,
    database_url,
    master_secret,
    migration_folders,
    renew_cache,
)
from midrise.app.server import create_application, layers, run_worker

__all__ = [
    "Assembly",
    "SettingMissing",
    "assemble",
    "create_administrator",
    "create_application",
    "database_url",
    "layers",
    "master_secret",
    "migration_folders",
    "renew_cache",
    "run_worker",
]
