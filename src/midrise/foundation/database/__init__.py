"""PostgreSQL: units of work, statements, and what becomes of its errors."""

from midrise.foundation.database.database import Database
from midrise.foundation.database.errors import ConstraintErrors, OutcomeUnknown
from midrise.foundation.database.joined import LateInsert
from midrise.foundation.database.metadata import metadata
from midrise.foundation.database.pool import ConnectionPool, PoolSettings, connect
from midrise.foundation.database.statements import Statement, deletion_of
from midrise.foundation.database.units import ReadUnit
from midrise.foundation.database.write_units import WriteUnit

__all__ = [
    "ConnectionPool",
    "ConstraintErrors",
    "Database",
    "LateInsert",
    "OutcomeUnknown",
    "PoolSettings",
    "ReadUnit",
    "Statement",
    "WriteUnit",
    "connect",
    "deletion_of",
    "metadata",
]
