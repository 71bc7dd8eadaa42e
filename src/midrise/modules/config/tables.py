"""The configuration's one table: a row for each key that was ever set.

A key that was set back to its default keeps its row with no value: its version must not start again, or an old
tag would name another value.
"""

from sqlalchemy import BigInteger, Column, DateTime, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from midrise.foundation.database import metadata

config_values = Table(
    "config_values",
    metadata,
    Column("key", Text(collation="C"), primary_key=True),
    Column("value", JSONB),
    Column("version", BigInteger, nullable=False),
    Column("updated_at", DateTime(timezone=True)),
)
