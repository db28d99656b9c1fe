"""Alembic's entry point: the connection comes from `engine.migrate`, which is the one way to run these."""

from alembic import context

from billy_pipelines.database.tables import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="billy_alembic_version",
    version_table_schema=SCHEMA,
    include_schemas=True,
)
with context.begin_transaction():
    context.run_migrations()
