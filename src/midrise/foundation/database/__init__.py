"""PostgreSQL: units of work, statements, and what becomes of its errors."""

from midrise.foundation.database.database import Database
from midrise.foundation.database.errors import ConstraintErrors, OutcomeUnknown
from midrise.foundation.database.metadata import metadata
from midrise.foundation.database.pool import ConnectionPool, PoolSettings, connect
from midrise.foundation.database.statements import Statement
from midrise.foundation.database.units import ReadUnit, WriteUnit

__all__ = [
    "ConnectionPool",
    "ConstraintErrors",
    "Database",
    "OutcomeUnknown",
    "PoolSettings",
    "ReadUnit",
    "Statement",
    "WriteUnit",
    "connect",
    "metadata",
]
