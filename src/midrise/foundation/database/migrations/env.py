"""Alembic's entry: runs the revisions on the connection that `migrate` holds, all in one transaction."""

from alembic import context

from midrise.foundation.database.metadata import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
